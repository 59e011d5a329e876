//! Customer state as bytes: state format 1.
//!
//! Every [`Part`] is encoded alone, as tagged fields; lists of small equal things are packed into one field. A number is
//! never used for something else, and a packed layout never changes: what a later version adds has new numbers. Fields
//! this version does not know are kept and written back. What is at its default is left out, so an empty part has no
//! bytes. Sums keep all bits of their doubles: a restored customer is the customer that was written.
//!
//! Times inside a part are differences from its first field, which is why the first field must come first.

mod alerts;
pub(crate) mod core;
mod packed;
mod profile;
mod recent;

use throughline_codec::wire::WireError;
use throughline_experience::{Customer, Part};
use throughline_model::NodeId;

/// The newest state format this version reads and writes.
pub const STATE_FORMAT: u32 = 1;

/// Bytes that are no customer state of a format this version reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("part {} of customer {node} cannot be read", .part.as_str())]
pub struct StateError {
    /// The customer.
    pub node: NodeId,
    /// The part.
    pub part: Part,
    /// What is wrong with its bytes.
    #[source]
    pub source: WireError,
}

/// Appends one part of a customer to `out`. Nothing is appended if the part is empty: its changelog key may be deleted.
pub fn encode_part(customer: &Customer, part: Part, out: &mut Vec<u8>) {
    match part {
        Part::Core => core::encode(&customer.core, out),
        Part::Recent => recent::encode(&customer.recent, out),
        Part::Open => {}
        Part::Profile => {
            if let Some(profile) = &customer.profile {
                profile::encode(profile, out);
            }
        }
        Part::Alerts => {
            if let Some(book) = &customer.alerts {
                alerts::encode(book, out);
            }
        }
    }
    if let Some(kept) = &customer.kept {
        out.extend_from_slice(&kept[usize::from(part.code())]);
    }
}

/// A customer from its parts; parts that are not there are empty.
///
/// # Errors
/// If a part is torn or holds a known field with an impossible value.
pub fn decode<'a>(node: NodeId, parts: impl IntoIterator<Item = (Part, &'a [u8])>) -> Result<Customer, StateError> {
    let mut customer = Customer::new(node);
    for (part, bytes) in parts {
        decode_part(&mut customer, part, bytes).map_err(|source| StateError { node, part, source })?;
    }
    Ok(customer)
}

fn decode_part(customer: &mut Customer, part: Part, bytes: &[u8]) -> Result<(), WireError> {
    let mut kept = Vec::new();
    match part {
        Part::Core => core::decode(bytes, &mut customer.core, &mut kept)?,
        Part::Recent => customer.recent = recent::decode(bytes, &mut kept)?,
        Part::Open => kept.extend_from_slice(bytes),
        Part::Profile => customer.profile = profile::decode(bytes, &mut kept)?.map(Box::new),
        Part::Alerts => customer.alerts = alerts::decode(bytes, &mut kept)?.map(Box::new),
    }
    if !kept.is_empty() {
        customer.kept.get_or_insert_with(Box::default)[usize::from(part.code())] = kept;
    }
    Ok(())
}
