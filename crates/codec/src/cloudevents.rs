//! CloudEvents 1.0 on alerts, binary mode: the attributes are headers, the value stays the alert.

use throughline_model::Now;

use crate::record::put_rfc3339;

/// What the attributes of one alert record are made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertAttributes<'a> {
    /// The configured tenant.
    pub tenant: &'a str,
    /// Id of the alert, hex.
    pub alert_id: &'a str,
    /// Number of the transition, from 1.
    pub seq: i64,
    /// The transition's name.
    pub transition: &'a str,
    /// Id of the subject.
    pub subject_id: &'a str,
    /// The worker's clock at this transition.
    pub changed_at: Now,
}

impl AlertAttributes<'_> {
    /// Shows every header to `put`. `buffer` is scratch space, kept by the caller so that nothing is allocated per record.
    pub fn encode(&self, buffer: &mut Vec<u8>, mut put: impl FnMut(&'static str, &[u8])) {
        let mut with = |name, parts: &[&[u8]]| {
            buffer.clear();
            for part in parts {
                buffer.extend_from_slice(part);
            }
            put(name, buffer);
        };
        with("ce_specversion", &[b"1.0"]);
        with("ce_id", &[self.alert_id.as_bytes(), b"-", itoa::Buffer::new().format(self.seq).as_bytes()]);
        with("ce_type", &[b"throughline.alert.", self.transition.as_bytes()]);
        with("ce_subject", &[self.subject_id.as_bytes()]);
        buffer.clear();
        buffer.extend_from_slice(b"/throughline/");
        put_path_segment(buffer, self.tenant);
        put("ce_source", buffer);
        buffer.clear();
        put_rfc3339(buffer, self.changed_at.as_millis());
        put("ce_time", buffer);
    }
}

/// `ce_source` is a URI reference: everything but unreserved characters is percent-encoded.
fn put_path_segment(out: &mut Vec<u8>, segment: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in segment.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte);
        } else {
            out.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_those_of_the_contract() {
        let attributes = AlertAttributes {
            tenant: "acme & sons",
            alert_id: "5f2b",
            seq: 3,
            transition: "escalated",
            subject_id: "0359",
            changed_at: Now::from_millis(1_763_769_600_123),
        };
        let mut lines = Vec::new();
        attributes.encode(&mut Vec::new(), |name, value| {
            lines.push(format!("{name}={}", String::from_utf8_lossy(value)));
        });
        expect_test::expect![[r#"
            ce_specversion=1.0
            ce_id=5f2b-3
            ce_type=throughline.alert.escalated
            ce_subject=0359
            ce_source=/throughline/acme%20%26%20sons
            ce_time=2025-11-22T00:00:00.123Z"#]]
        .assert_eq(&lines.join("\n"));
    }
}
