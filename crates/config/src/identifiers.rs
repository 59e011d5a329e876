//! An identifier as a person types it, hashed as records are.

use throughline_model::{IdHasher, IdentifierType, NodeId};
use throughline_normalize::identifiers::normalize;

use crate::options::HashKey;

/// An identifier as its records are found under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashedIdentifier {
    /// The value that was hashed.
    pub normalized: String,
    /// Rank and hash: the customer id, if it is the root.
    pub node: NodeId,
    /// Public name of the key.
    pub key_id: String,
}

/// Normalizes and hashes a value as a source with this calling code would; none if it is blocked or cannot be one.
#[must_use]
pub fn hash_identifier(
    key: &HashKey,
    tenant: &str,
    kind: IdentifierType,
    value: &str,
    calling_code: &str,
) -> Option<HashedIdentifier> {
    let hasher = IdHasher::new(key.0, tenant);
    let normalized = normalize(kind, value, calling_code)?.into_owned();
    let node = hasher.node(kind, &normalized);
    Some(HashedIdentifier { normalized, node, key_id: hasher.key_id().to_string() })
}
