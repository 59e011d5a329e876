//! The entry that tells an inbox partition how far the source partitions of one normalize worker have come.
//!
//! One entry carries all of them: the same bytes go to every inbox partition, so they are written once.

use throughline_model::{EventTime, Now, SourceKind};

use crate::wire::{Reader, WireError, Writer};

const SENT_AT: u32 = 1;
const SOURCE: u32 = 2;

/// How far one source partition has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceProgress<'a> {
    /// Source topic as it is called in the deployment.
    pub topic: &'a str,
    /// Its partition.
    pub partition: i32,
    /// What kind of feed it is.
    pub source: SourceKind,
    /// Everything up to here has been passed on; none if nothing is known yet.
    pub watermark: Option<EventTime>,
    /// Nothing has come for a while although everything was read: the watermark follows the clock.
    pub idle: bool,
}

/// What one normalize worker says at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress<'a> {
    /// Its clock when it said so.
    pub sent_at: Now,
    /// Its source partitions.
    pub sources: Vec<SourceProgress<'a>>,
}

/// Appends an entry to `out`. A topic is written once for the partitions of it that follow each other.
pub fn encode<'a>(sent_at: Now, sources: impl IntoIterator<Item = SourceProgress<'a>>, out: &mut Vec<u8>) {
    let mut w = Writer::new(out);
    w.sint(SENT_AT, sent_at.as_millis());
    let mut topic = "";
    for source in sources {
        w.nested(SOURCE, |w| {
            if source.topic != topic {
                w.text(1, source.topic);
            }
            w.uint_or_zero(2, u64::from(source.partition.unsigned_abs()));
            w.uint_or_zero(3, u64::from(source.source.code()));
            w.opt_sint(4, source.watermark.map(|at| at.as_millis().wrapping_sub(sent_at.as_millis())));
            w.uint_or_zero(5, u64::from(source.idle));
        });
        topic = source.topic;
    }
}

/// Reads an entry; topics are borrowed from it.
///
/// # Errors
/// If the bytes are not tagged fields of this layout, or name a source of a kind that this version does not know.
pub fn decode(entry: &[u8]) -> Result<Progress<'_>, WireError> {
    let mut progress = Progress { sent_at: Now::default(), sources: Vec::new() };
    let mut topic = "";
    let mut reader = Reader::new(entry);
    while let Some((field, value)) = reader.next()? {
        match field {
            SENT_AT => progress.sent_at = Now::from_millis(value.sint(field)?),
            SOURCE => {
                let source = decode_source(value.bytes(field)?, topic, progress.sent_at)?;
                topic = source.topic;
                progress.sources.push(source);
            }
            _ => {}
        }
    }
    Ok(progress)
}

fn decode_source<'a>(bytes: &'a [u8], topic: &'a str, sent_at: Now) -> Result<SourceProgress<'a>, WireError> {
    let mut source = SourceProgress { topic, partition: 0, source: SourceKind::Web, watermark: None, idle: false };
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next()? {
        let impossible = WireError::Impossible(field);
        match field {
            1 => source.topic = value.text(field)?,
            2 => source.partition = i32::try_from(value.uint(field)?).map_err(|_| impossible)?,
            3 => source.source = SourceKind::from_code(value.uint(field)?).ok_or(impossible)?,
            4 => {
                let at = value.sint(field)?.wrapping_add(sent_at.as_millis());
                source.watermark = Some(EventTime::from_millis(at));
            }
            5 => source.idle = value.uint(field)? != 0,
            _ => {}
        }
    }
    Ok(source)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(topic: &str, partition: i32, watermark: Option<i64>) -> SourceProgress<'_> {
        SourceProgress {
            topic,
            partition,
            source: SourceKind::Store,
            watermark: watermark.map(EventTime::from_millis),
            idle: partition == 1,
        }
    }

    #[test]
    fn what_was_said_is_read() {
        let sources = vec![
            source("a", 0, None),
            source("a", 1, Some(-5)),
            source("b", 0, Some(1_700_000_000_000)),
            source("a", 7, Some(i64::MIN)),
        ];
        let sent_at = Now::from_millis(1_700_000_000_123);
        let mut bytes = Vec::new();
        encode(sent_at, sources.iter().copied(), &mut bytes);
        assert_eq!(decode(&bytes), Ok(Progress { sent_at, sources }));
        assert!(bytes.len() < 60, "{} bytes for four partitions", bytes.len());
    }

    #[test]
    fn torn_bytes_are_an_error() {
        let mut bytes = Vec::new();
        encode(Now::from_millis(9), [source("topic", 3, Some(4))], &mut bytes);
        let read = |length: usize| decode(&bytes[..length]);
        assert!((3..bytes.len()).all(|length| read(length).is_err()));
    }
}
