//! Keyed ids: identifier hashes, node ids, touchpoint ids, alert ids.
//!
//! `hash(word, a, b, ...)` is the first 16 bytes of BLAKE3, keyed with the deployment's hash key, over the UTF-8 fields
//! joined by 0x00, the word of the kind of id first. Unkeyed hashes of phone numbers can be reversed by enumeration.

use std::fmt;

use crate::closed_set;

closed_set! {
    /// Types of identifiers in the order of their ranks; the smallest authenticated one routes a touchpoint.
    pub enum IdentifierType {
        /// Customer id of the CRM.
        CustomerId = "customer_id",
        /// The brand's own user id.
        Login = "login",
        /// Loyalty card.
        LoyaltyCard = "loyalty_card",
        /// Mail address.
        Email = "email",
        /// Phone number, E.164.
        Phone = "phone",
        /// Account on a platform, `platform:id`.
        Handle = "handle",
        /// Device.
        Device = "device",
        /// Cookie.
        Cookie = "cookie",
        /// Session, visit, call, ticket, booking or order, `source:kind:id`.
        Visit = "visit",
        /// Hash of an asserted identifier; never merges.
        Unlinked = "unlinked",
    }
}

impl IdentifierType {
    /// The rank, 0 (strongest) to 9.
    #[must_use]
    pub const fn rank(self) -> u8 {
        self.code()
    }
}

/// 128 bits of a keyed hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hash128(pub [u8; 16]);

/// Id of a touchpoint: the same wherever the record is sent again; revisions share it.
pub type TouchpointId = Hash128;
/// Id of an alert; opaque, never changes.
pub type AlertId = Hash128;

/// Rank byte and identifier hash: the node of an identifier. The customer's id is that of its root node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub [u8; 17]);

/// A resolved person or account: the id of its root node.
pub type CustomerId = NodeId;

const HEX: &[u8; 16] = b"0123456789abcdef";

fn write_hex(bytes: &[u8], out: &mut [u8]) {
    for (at, byte) in bytes.iter().enumerate() {
        out[2 * at] = HEX[usize::from(byte >> 4)];
        out[2 * at + 1] = HEX[usize::from(byte & 15)];
    }
}

fn read_hex(text: &str, out: &mut [u8]) -> Option<()> {
    let text = text.as_bytes();
    if text.len() != out.len() * 2 {
        return None;
    }
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    for (at, slot) in out.iter_mut().enumerate() {
        *slot = digit(text[2 * at])? << 4 | digit(text[2 * at + 1])?;
    }
    Some(())
}

/// An id as lower-case hex digits without an allocation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HexId {
    bytes: [u8; 34],
    length: u8,
}

impl HexId {
    /// The digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("hex digits are ASCII")
    }

    /// The digits as bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl Hash128 {
    /// 32 lower-case hex digits.
    #[must_use]
    pub fn hex(&self) -> HexId {
        let mut bytes = [0; 34];
        write_hex(&self.0, &mut bytes);
        HexId { bytes, length: 32 }
    }

    /// From 32 lower-case hex digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        read_hex(text, &mut bytes)?;
        Some(Self(bytes))
    }
}

impl NodeId {
    /// Node of an identifier.
    #[must_use]
    pub fn new(kind: IdentifierType, hash: Hash128) -> Self {
        let mut bytes = [0; 17];
        bytes[0] = kind.rank();
        bytes[1..].copy_from_slice(&hash.0);
        Self(bytes)
    }

    /// Type of the identifier; ids are only ever made by [`NodeId::new`] or checked when read.
    #[must_use]
    pub fn kind(&self) -> IdentifierType {
        IdentifierType::from_code(u64::from(self.0[0])).unwrap_or(IdentifierType::Unlinked)
    }

    /// The identifier hash.
    #[must_use]
    pub fn hash(&self) -> Hash128 {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.0[1..]);
        Hash128(bytes)
    }

    /// 34 lower-case hex digits; the key of customer-keyed topics.
    #[must_use]
    pub fn hex(&self) -> HexId {
        let mut bytes = [0; 34];
        write_hex(&self.0, &mut bytes);
        HexId { bytes, length: 34 }
    }

    /// From 34 lower-case hex digits with a known rank.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 17];
        read_hex(text, &mut bytes)?;
        IdentifierType::from_code(u64::from(bytes[0]))?;
        Some(Self(bytes))
    }
}

impl fmt::Display for Hash128 {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.hex().as_str())
    }
}

impl fmt::Debug for Hash128 {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.hex().as_str())
    }
}

impl fmt::Debug for NodeId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// Bytes up to which an id is hashed from the stack; zeroing more would cost more than it saves.
const SHORT: usize = 192;

/// Makes the ids of one deployment: holds its hash key and its tenant.
#[derive(Clone)]
pub struct IdHasher {
    key: [u8; 32],
    tenant: String,
}

impl fmt::Debug for IdHasher {
    // The key is a secret: it never reaches a log.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("IdHasher").field("tenant", &self.tenant).finish_non_exhaustive()
    }
}

impl IdHasher {
    /// A hasher for `tenant` with the deployment's 32-byte hash key.
    #[must_use]
    pub fn new(key: [u8; 32], tenant: &str) -> Self {
        Self { key, tenant: tenant.to_owned() }
    }

    /// The tenant whose ids this makes.
    #[must_use]
    pub fn tenant(&self) -> &str {
        &self.tenant
    }

    /// A short public name of the key: tells two keys apart without revealing either.
    #[must_use]
    pub fn key_id(&self) -> Hash128 {
        self.hash("key", &[])
    }

    /// `hash(word, tenant, fields...)`.
    #[must_use]
    pub fn hash(&self, word: &str, fields: &[&[u8]]) -> Hash128 {
        // Ids are short: one block on the stack costs less than feeding the hash piece by piece.
        let mut buffer = [0u8; SHORT];
        let length = word.len() + self.tenant.len() + 1 + fields.iter().map(|field| field.len() + 1).sum::<usize>();
        let mut full = [0u8; 32];
        if length <= buffer.len() {
            let mut at = 0;
            let mut push = |bytes: &[u8]| {
                buffer[at..at + bytes.len()].copy_from_slice(bytes);
                at += bytes.len();
            };
            push(word.as_bytes());
            push(&[0]);
            push(self.tenant.as_bytes());
            for field in fields {
                push(&[0]);
                push(field);
            }
            full.copy_from_slice(blake3::keyed_hash(&self.key, &buffer[..length]).as_bytes());
        } else {
            let mut hasher = blake3::Hasher::new_keyed(&self.key);
            hasher.update(word.as_bytes()).update(&[0]).update(self.tenant.as_bytes());
            for field in fields {
                hasher.update(&[0]).update(field);
            }
            full.copy_from_slice(hasher.finalize().as_bytes());
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&full[..16]);
        Hash128(bytes)
    }

    /// Hash of an identifier whose value is already normalized.
    #[must_use]
    pub fn identifier(&self, kind: IdentifierType, value: &str) -> Hash128 {
        self.hash("identifier", &[kind.as_str().as_bytes(), value.as_bytes()])
    }

    /// Node of an identifier whose value is already normalized.
    #[must_use]
    pub fn node(&self, kind: IdentifierType, value: &str) -> NodeId {
        NodeId::new(kind, self.identifier(kind, value))
    }

    /// Id of a touchpoint: the same wherever the record is sent again.
    #[must_use]
    pub fn touchpoint(&self, system: &str, source_id: &str) -> TouchpointId {
        self.hash("touchpoint", &[system.as_bytes(), source_id.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher() -> IdHasher {
        let mut key = [0; 32];
        for (at, byte) in key.iter_mut().enumerate() {
            *byte = at as u8;
        }
        IdHasher::new(key, "acme")
    }

    // Published test vectors: key 00..1f, tenant acme.
    #[test]
    fn identifier_hashes_are_the_published_ones() {
        let hasher = hasher();
        assert_eq!(
            hasher.node(IdentifierType::Email, "ann@example.org").to_string(),
            "035911e87a810d8f9571835e716a1330ea"
        );
        assert_eq!(
            hasher.node(IdentifierType::Phone, "+491701234567").to_string(),
            "0491a034e0255a60c98d90568fff2537c4"
        );
    }

    #[test]
    fn long_fields_hash_like_short_ones() {
        let hasher = hasher();
        let long = "x".repeat(2_000);
        assert_ne!(hasher.identifier(IdentifierType::Cookie, &long), hasher.identifier(IdentifierType::Cookie, "x"));
        let at_edge = "y".repeat(SHORT - "identifier".len() - "acme".len() - "cookie".len() - 3);
        let mut expected = blake3::Hasher::new_keyed(&hasher.key);
        expected.update(b"identifier\0acme\0cookie\0").update(at_edge.as_bytes());
        assert_eq!(hasher.identifier(IdentifierType::Cookie, &at_edge).0[..], expected.finalize().as_bytes()[..16]);
    }

    #[test]
    fn hex_round_trips_and_refuses_unknown_ranks() {
        let node = hasher().node(IdentifierType::Login, "u1");
        assert_eq!(NodeId::from_hex(&node.to_string()), Some(node));
        assert_eq!(node.kind(), IdentifierType::Login);
        assert_eq!(NodeId::from_hex(&"f".repeat(34)), None);
        assert_eq!(NodeId::from_hex("0"), None);
        assert_eq!(Hash128::from_hex(&node.hash().to_string()), Some(node.hash()));
    }
}
