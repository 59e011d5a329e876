//! What one inbox partition was told about the source partitions, and the stream time that follows from it.
//!
//! A pure fold over the progress entries of the partition: it reads no clock, so that whoever restores it, or reads the
//! partition again, knows the same.

use throughline_codec::progress::Progress;
use throughline_codec::wire::{Reader, Value, WireError, Writer};
use throughline_model::time::{DAY, MINUTE, SECOND};
use throughline_model::{EventTime, Now, SourceKind, StreamTime};

use super::disproof::SourceSet;

/// Reserved changelog key; no node id is that short.
pub const WATERMARKS_KEY: &[u8] = b"watermarks";

/// How long what is said about a source partition counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockLimits {
    /// A source partition that others were heard without for so long is left out, milliseconds.
    pub missing_after: i64,
    /// Stream time exists once progress was heard for so long, milliseconds: until then somebody may not have spoken yet.
    pub settled_after: i64,
}

impl Default for ClockLimits {
    fn default() -> Self {
        Self { missing_after: 5 * MINUTE, settled_after: 10 * SECOND }
    }
}

/// At most this much passes between two entries: a pause of everybody proves nothing about anybody, milliseconds.
const STEP_MAX: i64 = 10 * SECOND;
/// A source partition that nobody spoke of for so long is forgotten, milliseconds.
const FORGOTTEN_AFTER: i64 = 7 * DAY;

/// What was told about one source partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePartition {
    /// Source topic.
    pub topic: Box<str>,
    /// Its partition.
    pub partition: i32,
    /// Its kind of feed.
    pub source: SourceKind,
    /// How far it has come; none if whoever reads it does not know yet.
    pub watermark: Option<EventTime>,
    /// It is exhausted and silent.
    pub idle: bool,
    /// How long others were heard without it, milliseconds.
    pub unheard: i64,
}

/// The source partitions as one inbox partition knows them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceClocks {
    /// In the order of topic and partition.
    rows: Vec<SourcePartition>,
    /// The newest time at which somebody spoke.
    heard_at: Option<Now>,
    /// For how long progress was heard, up to the limit.
    heard_for: i64,
    limits: ClockLimits,
}

impl SourceClocks {
    /// Nothing was heard.
    #[must_use]
    pub fn new(limits: ClockLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes what one normalize worker says. Watermarks never go back, whoever speaks.
    pub fn hear(&mut self, progress: &Progress<'_>) {
        let newest = self.heard_at.map_or(progress.sent_at, |at| at.max(progress.sent_at));
        let step = self.heard_at.map_or(0, |at| (newest.as_millis() - at.as_millis()).min(STEP_MAX));
        self.heard_at = Some(newest);
        self.heard_for = (self.heard_for + step).min(self.limits.settled_after);
        self.rows.iter_mut().for_each(|row| row.unheard += step);
        for told in &progress.sources {
            let place =
                self.rows.binary_search_by(|row| (&*row.topic, row.partition).cmp(&(told.topic, told.partition)));
            let at = place.unwrap_or_else(|at| {
                let row = SourcePartition {
                    topic: told.topic.into(),
                    partition: told.partition,
                    source: told.source,
                    watermark: None,
                    idle: false,
                    unheard: 0,
                };
                self.rows.insert(at, row);
                at
            });
            let row = &mut self.rows[at];
            row.source = told.source;
            row.watermark = row.watermark.max(told.watermark);
            row.idle = told.idle;
            row.unheard = 0;
        }
        self.rows.retain(|row| row.unheard < FORGOTTEN_AFTER);
    }

    /// How far event time has certainly come, by the sources of a set; by all of them if the deployment reads none of the
    /// set. None as long as one of them does not say, or not everybody can have spoken.
    #[must_use]
    pub fn stream_time(&self, by: SourceSet) -> Option<StreamTime> {
        if self.heard_for < self.limits.settled_after {
            return None;
        }
        let has_any = self.rows.iter().any(|row| by.contains(row.source));
        let by = if has_any { by } else { SourceSet::ALL };
        let mut heard = self.rows.iter().filter(|row| by.contains(row.source) && !self.is_missing(row)).peekable();
        heard.peek()?;
        let smallest = heard.map(|row| row.watermark).min().flatten();
        smallest.map(|at| StreamTime::from_millis(at.as_millis()))
    }

    fn is_missing(&self, row: &SourcePartition) -> bool {
        row.unheard >= self.limits.missing_after
    }

    /// The source partitions that are left out, because nobody spoke of them for too long.
    pub fn missing(&self) -> impl Iterator<Item = &SourcePartition> {
        self.rows.iter().filter(|row| self.is_missing(row))
    }

    /// The newest time at which somebody spoke.
    #[must_use]
    pub const fn heard_at(&self) -> Option<Now> {
        self.heard_at
    }

    /// All source partitions that were spoken of.
    #[must_use]
    pub fn sources(&self) -> &[SourcePartition] {
        &self.rows
    }

    /// Appends the value of the reserved changelog record.
    pub fn write(&self, out: &mut Vec<u8>) {
        // Before anything was heard there is nothing to write.
        let Some(heard_at) = self.heard_at.map(Now::as_millis) else { return };
        let mut w = Writer::new(out);
        w.sint(1, heard_at);
        w.uint_or_zero(2, self.heard_for.unsigned_abs());
        let mut topic = "";
        for row in &self.rows {
            w.nested(3, |w| {
                if *row.topic != *topic {
                    w.text(1, &row.topic);
                }
                w.uint_or_zero(2, u64::from(row.partition.unsigned_abs()));
                w.uint_or_zero(3, u64::from(row.source.code()));
                w.opt_sint(4, row.watermark.map(|at| at.as_millis().wrapping_sub(heard_at)));
                w.uint_or_zero(5, u64::from(row.idle));
                w.uint_or_zero(6, row.unheard.unsigned_abs());
            });
            topic = &row.topic;
        }
    }

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// If the bytes are torn, or name a kind of source that this version does not know.
    pub fn read(bytes: &[u8], limits: ClockLimits) -> Result<Self, WireError> {
        let mut clocks = Self::new(limits);
        let mut reader = Reader::new(bytes);
        while let Some((field, value)) = reader.next()? {
            match field {
                1 => clocks.heard_at = Some(Now::from_millis(value.sint(field)?)),
                2 => clocks.heard_for = millis(value, field)?,
                3 => {
                    let topic = clocks.rows.last().map_or("", |row| &row.topic);
                    let row = read_row(value.bytes(field)?, topic, clocks.heard_at.unwrap_or_default())?;
                    clocks.rows.push(row);
                }
                _ => {}
            }
        }
        Ok(clocks)
    }
}

fn millis(value: Value<'_>, field: u32) -> Result<i64, WireError> {
    i64::try_from(value.uint(field)?).map_err(|_| WireError::Impossible(field))
}

fn read_row(bytes: &[u8], topic: &str, heard_at: Now) -> Result<SourcePartition, WireError> {
    let mut row = SourcePartition {
        topic: topic.into(),
        partition: 0,
        source: SourceKind::Web,
        watermark: None,
        idle: false,
        unheard: 0,
    };
    let mut reader = Reader::new(bytes);
    while let Some((field, value)) = reader.next()? {
        let impossible = WireError::Impossible(field);
        match field {
            1 => row.topic = value.text(field)?.into(),
            2 => row.partition = i32::try_from(value.uint(field)?).map_err(|_| impossible)?,
            3 => row.source = SourceKind::from_code(value.uint(field)?).ok_or(impossible)?,
            4 => {
                let at = value.sint(field)?.wrapping_add(heard_at.as_millis());
                row.watermark = Some(EventTime::from_millis(at));
            }
            5 => row.idle = value.uint(field)? != 0,
            6 => row.unheard = millis(value, field)?,
            _ => {}
        }
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use throughline_codec::progress::SourceProgress;
    use throughline_model::Channel;

    use super::*;
    use crate::time::TimerKind;

    const START: i64 = 1_700_000_000_000;

    fn told(topic: &str, source: SourceKind, watermark: Option<i64>) -> SourceProgress<'_> {
        let watermark = watermark.map(|at| EventTime::from_millis(START + at));
        SourceProgress { topic, partition: 0, source, watermark, idle: false }
    }

    fn hear(clocks: &mut SourceClocks, at: i64, sources: Vec<SourceProgress<'_>>) {
        clocks.hear(&Progress { sent_at: Now::from_millis(START + at), sources });
    }

    fn stream(clocks: &SourceClocks, by: SourceSet) -> Option<i64> {
        clocks.stream_time(by).map(|at| at.as_millis() - START)
    }

    fn at_once() -> SourceClocks {
        SourceClocks::new(ClockLimits { settled_after: 0, ..ClockLimits::default() })
    }

    #[test]
    fn a_nightly_store_file_holds_back_walk_aways_and_no_chat() {
        let mut clocks = at_once();
        let chat = told("calls", SourceKind::CallCentre, Some(0));
        let store = told("tills", SourceKind::Store, Some(-26 * 3_600_000));
        hear(&mut clocks, 0, vec![chat, store]);
        assert_eq!(stream(&clocks, TimerKind::Response(Channel::Chat).disproved_by()), Some(0));
        assert_eq!(stream(&clocks, TimerKind::WalkAway.disproved_by()), Some(-26 * 3_600_000));
        assert_eq!(stream(&clocks, TimerKind::Trip.disproved_by()), Some(-26 * 3_600_000), "no partner is read");
    }

    #[test]
    fn a_partition_that_does_not_know_yet_holds_everything_and_keeps_what_it_knew() {
        let mut clocks = at_once();
        hear(&mut clocks, 0, vec![told("a", SourceKind::Web, Some(0)), told("b", SourceKind::Web, None)]);
        assert_eq!(stream(&clocks, SourceSet::ALL), None);
        hear(&mut clocks, 1_000, vec![told("b", SourceKind::Web, Some(50))]);
        assert_eq!(stream(&clocks, SourceSet::ALL), Some(0));
        hear(&mut clocks, 2_000, vec![told("a", SourceKind::Web, None), told("b", SourceKind::Web, Some(40))]);
        assert_eq!(stream(&clocks, SourceSet::ALL), Some(0), "a takeover does not go back");
        assert_eq!(clocks.rows[1].watermark, Some(EventTime::from_millis(START + 50)));
    }

    #[test]
    fn before_everybody_can_have_spoken_there_is_no_stream_time() {
        let mut clocks = SourceClocks::new(ClockLimits::default());
        for second in 0..10 {
            hear(&mut clocks, second * 1_000, vec![told("a", SourceKind::Web, Some(second))]);
            assert_eq!(stream(&clocks, SourceSet::ALL), None);
        }
        hear(&mut clocks, 10_000, vec![]);
        assert_eq!(stream(&clocks, SourceSet::ALL), Some(9));
    }

    #[test]
    fn who_is_silent_while_others_speak_is_left_out_and_a_common_pause_counts_little() {
        let mut clocks = at_once();
        hear(&mut clocks, 0, vec![told("a", SourceKind::Web, Some(0)), told("b", SourceKind::Web, Some(-900))]);
        // Nobody speaks for an hour.
        hear(&mut clocks, 3_600_000, vec![told("a", SourceKind::Web, Some(3_600_000))]);
        assert_eq!(stream(&clocks, SourceSet::ALL), Some(-900));
        for second in 1..290 {
            let now = 3_600_000 + second * 1_000;
            hear(&mut clocks, now, vec![told("a", SourceKind::Web, Some(now))]);
        }
        assert_eq!((stream(&clocks, SourceSet::ALL), clocks.missing().count()), (Some(-900), 0));
        hear(&mut clocks, 3_890_000, vec![told("a", SourceKind::Web, Some(3_890_000))]);
        assert_eq!((stream(&clocks, SourceSet::ALL), clocks.missing().count()), (Some(3_890_000), 1));
        hear(&mut clocks, 3_891_000, vec![told("b", SourceKind::Web, Some(7))]);
        assert_eq!((stream(&clocks, SourceSet::ALL), clocks.missing().count()), (Some(7), 0));
    }

    #[test]
    fn what_was_written_is_read() {
        let mut clocks = SourceClocks::new(ClockLimits::default());
        hear(&mut clocks, 0, vec![told("b", SourceKind::Store, None), told("a", SourceKind::Web, Some(-70))]);
        hear(&mut clocks, 4_000, vec![told("b", SourceKind::Store, Some(8))]);
        let mut bytes = Vec::new();
        clocks.write(&mut bytes);
        assert_eq!(SourceClocks::read(&bytes, ClockLimits::default()), Ok(clocks));
        bytes.truncate(bytes.len() - 1);
        let torn = SourceClocks::read(&bytes, ClockLimits::default());
        assert_eq!(torn, Err(WireError::Torn));
        bytes.clear();
        SourceClocks::default().write(&mut bytes);
        assert!(bytes.is_empty(), "nothing was heard");
    }
}
