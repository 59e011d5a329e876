//! Identifiers: normalizing values, leaving out the ones that name nobody, hashing, and choosing the node to route to.

use std::borrow::Cow;

use smallvec::SmallVec;
use throughline_model::touchpoint::{IDENTIFIERS_MAX, Identifier, Relation};
use throughline_model::{IdHasher, IdentifierType, NodeId, Trust};
use unicode_normalization::UnicodeNormalization;

use crate::blank::trim;
use crate::draft::{Mention, MentionedRelation};

/// Longest value of an identifier, in characters.
pub const VALUE_MAX: usize = 1_024;

/// Identifiers of one touchpoint, ready for its header.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Resolved {
    /// Strongest first, each once, at most 20.
    pub identifiers: SmallVec<[Identifier; 4]>,
    /// Node to route to.
    pub node: Option<NodeId>,
    /// How many were left out: blocked values.
    pub blocked: u32,
    /// How many were left out: beyond the twentieth.
    pub cut: u32,
}

/// Settings of one source.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Fields whose trust the configuration moved.
    pub trust: &'a [(String, Trust)],
    /// Country calling code of national phone numbers, digits only; empty if unknown.
    pub calling_code: &'a str,
}

/// Normalizes, hashes and orders the identifiers a touchpoint mentions.
#[must_use]
pub fn resolve(mentions: &[Mention<'_>], rules: Rules<'_>, ids: &IdHasher) -> Resolved {
    let mut resolved = Resolved::default();
    for mention in mentions {
        let moved = rules.trust.iter().find(|(field, _)| field == mention.field).map(|(_, trust)| *trust);
        let mut trust = moved.unwrap_or(mention.trust);
        let Some(value) = normalize(mention.kind, &mention.value, rules.calling_code) else {
            resolved.blocked += 1;
            continue;
        };
        // A national number of an unknown country may be two people's: it links, but never routes or merges.
        if mention.kind == IdentifierType::Phone && !value.starts_with('+') {
            trust = Trust::Asserted;
        }
        let hash = ids.identifier(mention.kind, &value);
        let twin = resolved.identifiers.iter_mut().find(|other| other.kind == mention.kind && other.hash == hash);
        match twin {
            Some(twin) => twin.trust = twin.trust.min(trust),
            None => resolved.identifiers.push(Identifier { kind: mention.kind, hash, trust }),
        }
    }
    resolved.identifiers.sort_unstable_by_key(|identifier| (identifier.kind, identifier.hash));
    if resolved.identifiers.len() > IDENTIFIERS_MAX {
        resolved.cut = u32::try_from(resolved.identifiers.len() - IDENTIFIERS_MAX).unwrap_or(u32::MAX);
        resolved.identifiers.truncate(IDENTIFIERS_MAX);
    }
    resolved.node = route(&resolved.identifiers);
    resolved
}

/// The smallest authenticated identifier; else the unlinked node of the smallest asserted one; else none.
fn route(ordered: &[Identifier]) -> Option<NodeId> {
    let authenticated = ordered.iter().find(|identifier| identifier.trust == Trust::Authenticated);
    match authenticated {
        Some(identifier) => Some(NodeId::new(identifier.kind, identifier.hash)),
        None => ordered.first().map(|identifier| NodeId::new(IdentifierType::Unlinked, identifier.hash)),
    }
}

/// Hashes the related people a touchpoint names.
#[must_use]
pub fn relate(relations: &[MentionedRelation<'_>], calling_code: &str, ids: &IdHasher) -> Vec<Relation> {
    relations
        .iter()
        .filter_map(|relation| {
            let value = normalize(relation.identifier, &relation.value, calling_code)?;
            Some(Relation {
                kind: relation.kind,
                identifier: relation.identifier,
                hash: ids.identifier(relation.identifier, &value),
                until: relation.until,
            })
        })
        .collect()
}

/// The normalized value, or none if the value names nobody.
///
/// | type | rule |
/// |---|---|
/// | customer id, login, handle, device, cookie, visit | trimmed |
/// | loyalty card | letters and digits, upper case |
/// | mail address | trimmed, NFKC, lower case |
/// | phone | E.164; a national number takes the source's calling code, without one it stays digits |
#[must_use]
pub fn normalize<'v>(kind: IdentifierType, value: &'v str, calling_code: &str) -> Option<Cow<'v, str>> {
    let trimmed = trim(value);
    // Bytes bound characters from above, so that short values need no counting.
    if trimmed.len() > VALUE_MAX && trimmed.chars().count() > VALUE_MAX {
        return None;
    }
    let own = match kind {
        IdentifierType::Visit => trimmed.splitn(3, ':').last().unwrap_or_default(),
        IdentifierType::Handle => trimmed.split_once(':').map_or(trimmed, |(_, id)| id),
        _ => trimmed,
    };
    if is_blocked(kind, own) {
        return None;
    }
    match kind {
        IdentifierType::Email => email(trimmed),
        IdentifierType::Phone => phone(trimmed, calling_code),
        IdentifierType::LoyaltyCard => {
            let is_plain = trimmed.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
            if is_plain {
                return Some(Cow::Borrowed(trimmed));
            }
            let card: String = trimmed.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_uppercase).collect();
            (!is_blocked(kind, &card)).then_some(Cow::Owned(card))
        }
        _ => Some(Cow::Borrowed(trimmed)),
    }
}

/// Values that stand for nobody in particular; merging on one of them would join strangers.
fn is_blocked(kind: IdentifierType, value: &str) -> bool {
    const WORDS: [&str; 10] =
        ["null", "undefined", "nil", "none", "-1", "anonymous", "guest", "invalid", "test", "void"];
    let value = trim(value);
    let bytes = value.as_bytes();
    let Some(&first) = bytes.first() else { return true };
    if bytes.len() <= 9 && WORDS.iter().any(|word| word.eq_ignore_ascii_case(value)) {
        return true;
    }
    // Zero, the zero UUID, a row of dashes.
    if matches!(first, b'0' | b'-') && bytes.iter().all(|byte| matches!(byte, b'0' | b'-')) {
        return true;
    }
    // Order 11111 exists; the customer, card or phone 11111 is somebody who wanted to get on.
    let counted = matches!(kind, IdentifierType::Visit | IdentifierType::Handle);
    let digits = if let [b'+', digits @ ..] = bytes { digits } else { bytes };
    !counted && digits.len() >= 5 && digits[0].is_ascii_digit() && digits.iter().all(|byte| *byte == digits[0])
}

fn email(value: &str) -> Option<Cow<'_, str>> {
    let plain = value.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    let address: Cow<'_, str> =
        if plain { Cow::Borrowed(value) } else { Cow::Owned(value.nfkc().collect::<String>().to_lowercase()) };
    // What has no two sides is no address, whatever field it stood in.
    let (local, domain) = address.rsplit_once('@')?;
    let blocked =
        local.is_empty() || domain.is_empty() || domain == "example.com" || is_blocked(IdentifierType::Email, local);
    (!blocked).then_some(address)
}

/// E.164 without a table of countries: numbers with `+` or `00` are international already, a national one takes the
/// configured calling code. A table of all numbering plans would cost more memory and time than it would join customers.
fn phone<'v>(value: &'v str, calling_code: &str) -> Option<Cow<'v, str>> {
    let bytes = value.as_bytes();
    if bytes[0] == b'+' && (8..=16).contains(&bytes.len()) && bytes[1..].iter().all(u8::is_ascii_digit) {
        return Some(Cow::Borrowed(value));
    }
    let lower = value.to_ascii_lowercase();
    let number = lower.strip_prefix("tel:").unwrap_or(&lower);
    // An extension belongs to the switchboard, not to the number.
    let number =
        ["ext", "x", ";", "#"].iter().filter_map(|mark| number.find(mark)).min().map_or(number, |at| &number[..at]);
    let number = number.replace("(0)", "");
    if number.bytes().any(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let international =
        if number.trim_start().starts_with('+') { Some(digits.as_str()) } else { digits.strip_prefix("00") };
    let normal = match international {
        Some(digits) => format!("+{digits}"),
        // The leading zero is the national trunk prefix, dropped after a calling code.
        None if !calling_code.is_empty() => format!("+{calling_code}{}", digits.trim_start_matches('0')),
        None => digits,
    };
    let count = normal.bytes().filter(u8::is_ascii_digit).count();
    ((7..=15).contains(&count) && !is_blocked(IdentifierType::Phone, &normal)).then_some(Cow::Owned(normal))
}

#[cfg(test)]
mod tests {
    use super::*;
    use IdentifierType as Id;

    fn normal(kind: Id, value: &str) -> Option<String> {
        normalize(kind, value, "").map(Cow::into_owned)
    }

    #[test]
    fn values_are_written_one_way() {
        for (kind, value, expected) in [
            (Id::Email, " Ann@Example.ORG ", "ann@example.org"),
            (Id::Email, "ＡＮＮ@example.org", "ann@example.org"),
            (Id::Phone, "+49 (0)170 123-4567", "+491701234567"),
            (Id::Phone, "0049 170 1234567", "+491701234567"),
            (Id::Phone, "tel:+491701234567;ext=5", "+491701234567"),
            (Id::Phone, "(312) 555-0123 x77", "3125550123"),
            (Id::LoyaltyCard, "ab-12 34", "AB1234"),
            (Id::Login, " U1 ", "U1"),
            (Id::Visit, "shop:order:11111", "shop:order:11111"),
        ] {
            assert_eq!(normal(kind, value).as_deref(), Some(expected), "{value}");
        }
        assert_eq!(normalize(Id::Phone, "0170 1234567", "49").as_deref(), Some("+491701234567"));
    }

    #[test]
    fn values_that_name_nobody_are_left_out() {
        for value in [
            "",
            " ",
            "null",
            "Undefined",
            "nil",
            "none",
            "-1",
            "0",
            "000-00",
            "anonymous",
            "GUEST",
            "invalid",
            "test",
            "void",
        ] {
            for kind in [Id::CustomerId, Id::Login, Id::Cookie, Id::LoyaltyCard] {
                assert_eq!(normal(kind, value), None, "{kind} {value}");
            }
            assert_eq!(normal(Id::Visit, &format!("shop:order:{value}")), None, "{value}");
            assert_eq!(normal(Id::Handle, &format!("shopify:{value}")), None, "{value}");
        }
        assert_eq!(normal(Id::Cookie, "00000000-0000-0000-0000-000000000000"), None);
        assert_eq!(normal(Id::Login, "99999"), None);
        assert_eq!(normal(Id::Phone, "+1111111111"), None);
        assert_eq!(normal(Id::Phone, "call me"), None);
        assert_eq!(normal(Id::Email, "ann@example.com"), None);
        assert_eq!(normal(Id::Email, "ann"), None);
        assert_eq!(normal(Id::Login, &"x".repeat(1_025)), None);
    }

    fn mention(kind: Id, value: &str, trust: Trust) -> Mention<'_> {
        Mention { kind, value: value.into(), trust, field: "f" }
    }

    fn hasher() -> IdHasher {
        IdHasher::new(std::array::from_fn(|at| at as u8), "acme")
    }

    const NO_RULES: Rules<'static> = Rules { trust: &[], calling_code: "" };

    #[test]
    fn the_smallest_authenticated_identifier_routes() {
        let ids = hasher();
        let asserted = mention(Id::Email, "ann@example.org", Trust::Asserted);
        let cookie = mention(Id::Cookie, "c1", Trust::Authenticated);
        let resolved = resolve(&[cookie.clone(), asserted.clone()], NO_RULES, &ids);
        assert_eq!(resolved.node, Some(ids.node(Id::Cookie, "c1")));
        assert_eq!(resolved.identifiers[0].kind, Id::Email);
        let resolved = resolve(&[asserted], NO_RULES, &ids);
        assert_eq!(resolved.node, Some(NodeId::new(Id::Unlinked, ids.identifier(Id::Email, "ann@example.org"))));
        assert_eq!(resolve(&[], NO_RULES, &ids).node, None);
        let moved = [("f".to_owned(), Trust::Asserted)];
        let resolved = resolve(&[cookie], Rules { trust: &moved, calling_code: "" }, &ids);
        assert_eq!(resolved.node.map(|node| node.kind()), Some(Id::Unlinked));
    }

    #[test]
    fn the_twenty_strongest_stay_and_copies_keep_the_stronger_trust() {
        let ids = hasher();
        let values: Vec<String> = (0..30).map(|at| format!("c{at}")).collect();
        let mut mentions: Vec<Mention<'_>> =
            values.iter().map(|value| mention(Id::Cookie, value, Trust::Authenticated)).collect();
        mentions.push(mention(Id::Login, "u1", Trust::Asserted));
        mentions.push(mention(Id::Login, "u1", Trust::Authenticated));
        let resolved = resolve(&mentions, NO_RULES, &ids);
        assert_eq!((resolved.identifiers.len(), resolved.cut), (20, 11));
        assert_eq!((resolved.identifiers[0].kind, resolved.identifiers[0].trust), (Id::Login, Trust::Authenticated));
    }
}
