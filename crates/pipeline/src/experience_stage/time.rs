//! Time in the experience stage: stream time by what normalize tells, and the customers that are due.

use throughline_codec::progress::Progress;
use throughline_experience::view::VIEW_INTERVAL;
use throughline_experience::{Dues, Fired, Part, Rules, Scope};
use throughline_model::{NodeId, Now, SourceKind, StreamTime, Topic};
use throughline_worker::{Outputs, StateMismatch, TaskId};

use super::ExperienceStage;
use super::entries::{Emitting, Folding, declared};
use super::overlay::{Overlay, Touched};
use crate::state;
use crate::table::{GROUPS, Group, Table, parts, read};
use crate::time::clocks::WATERMARKS_KEY;
use crate::time::{Clock, ClockKind, ClockLimits, SourceClocks, SourceSet, Timers};

/// Customers that are looked at because of a timer in one transaction at most. They take a few tens of milliseconds.
pub(super) const TIMERS_MAX: usize = 2_000;

/// Everything that exists today is disproved by anything: expiry and review.
const STREAM: Clock = Clock::Stream(SourceSet::ALL);

/// Stream time and timers of one partition.
#[derive(Debug)]
pub(super) struct TaskTime {
    clocks: SourceClocks,
    /// The clocks after what the open transaction heard.
    heard: Option<SourceClocks>,
    /// When the sources were heard that the changelog holds, and how many: in committed transactions, and in the open one.
    written: (Option<Written>, Option<Written>),
    /// Stream time by all sources, with what the open transaction heard.
    stream: Option<StreamTime>,
    timers: Timers,
    /// Customers under restore that may have a timer.
    restoring: Vec<NodeId>,
    /// State is complete: timers may fire.
    serves: bool,
}

impl TaskTime {
    pub(super) fn new(limits: ClockLimits) -> Self {
        Self {
            clocks: SourceClocks::new(limits),
            heard: None,
            written: (None, None),
            stream: None,
            timers: Timers::default(),
            restoring: Vec::new(),
            serves: false,
        }
    }

    fn hear(&mut self, progress: &Progress<'_>) {
        let heard = self.heard.get_or_insert_with(|| self.clocks.clone());
        heard.hear(progress);
        self.stream = heard.stream_time(SourceSet::ALL);
    }

    /// When somebody is to be looked at; at once if stream time has passed it.
    pub(super) fn next_due(&self) -> Option<Now> {
        if !self.serves {
            return None;
        }
        let waits_for = self.timers.next(STREAM).zip(self.stream);
        if waits_for.is_some_and(|(next, stream)| next <= stream.as_millis()) {
            return Some(Now::from_millis(i64::MIN));
        }
        self.timers.next(Clock::Now).map(Now::from_millis)
    }

    fn is_due(&self, now: Now) -> bool {
        self.next_due().is_some_and(|due| due <= now)
    }

    /// Takes at most `left` customers that are to be looked at; how many were taken.
    fn take_due<T: Table>(&mut self, task: TaskId, now: Now, left: usize, table: &T, overlay: &mut Overlay) -> usize {
        let mut taken = 0;
        let stream = self.stream;
        let read = move |clock| match clock {
            Clock::Now => Some(now.as_millis()),
            Clock::Stream(_) => stream.map(StreamTime::as_millis),
        };
        self.timers.take_due(&read, left, |clock, hint| {
            taken += 1;
            if table.get(&hint.node).is_some() {
                let at = overlay.touch(hint.node, task);
                let timers = &mut overlay.at_mut(at).taken;
                timers.now |= clock == Clock::Now;
                timers.stream |= clock != Clock::Now;
            }
        });
        taken
    }

    /// Arms a customer that the committed transaction touched. One whose timer was taken has none any more.
    pub(super) fn arm(&mut self, touched: &Touched, now: Now) {
        let (before, after) = touched.dues;
        let stream = self.stream.map_or(i64::MIN, StreamTime::as_millis);
        let millis = |dues: Dues| (dues.now.map(Now::as_millis), dues.stream.map(StreamTime::as_millis));
        let ((now_before, stream_before), (now_after, stream_after)) = (millis(before), millis(after));
        self.arm_one(Clock::Now, touched.node, touched.taken.now, now_before, now_after, now.as_millis());
        self.arm_one(STREAM, touched.node, touched.taken.stream, stream_before, stream_after, stream);
    }

    fn arm_one(
        &mut self,
        clock: Clock,
        node: NodeId,
        taken: bool,
        before: Option<i64>,
        after: Option<i64>,
        reached: i64,
    ) {
        if taken {
            // What is due has fired; a due time that stays in the past must not fire in every transaction.
            let after = after.map(|after| after.max(reached.saturating_add(1_000)));
            self.timers.rearm(clock, node, None, after);
        } else {
            self.timers.rearm(clock, node, before, after);
        }
    }

    /// Appends the clocks as the last committed transaction left them.
    pub(super) fn write_committed(&self, out: &mut Vec<u8>) {
        self.clocks.write(out);
    }

    pub(super) fn commit(&mut self) {
        if let Some(heard) = self.heard.take() {
            self.clocks = heard;
        }
        self.written.0 = self.written.1;
        self.timers.commit();
    }

    pub(super) fn abort(&mut self) {
        if self.heard.take().is_some() {
            self.stream = self.clocks.stream_time(SourceSet::ALL);
        }
        self.written.1 = self.written.0;
        self.timers.abort();
    }

    /// The clocks, if they are to be written: with new sources at once, else now and then. Whoever restores older ones hears
    /// the newer within a second, and what has fired by them is in the state of the customers.
    fn take_unwritten(&mut self) -> Option<&SourceClocks> {
        let heard = self.heard.as_ref()?;
        let (at, sources) = (heard.heard_at()?, heard.sources().len());
        let is_old = |written: Written| {
            at.as_millis() - written.0.as_millis() >= CLOCKS_INTERVAL || written.0 > at || written.1 != sources
        };
        if self.written.1.is_none_or(is_old) {
            self.written.1 = Some((at, sources));
            return Some(heard);
        }
        None
    }
}

/// When a committed customer is to be looked at. Most that wait for something wait for their single view alone, which shows
/// without decoding them.
fn dues_of(node: NodeId, bytes: &[u8], rules: &Rules) -> Dues {
    if parts(bytes).any(|(part, _)| part == Part::Alerts) {
        // What cannot be read is found when the customer is next touched, and by the state verify command.
        return read(node, bytes).map(|customer| customer.dues(rules)).unwrap_or_default();
    }
    let core = parts(bytes).find(|(part, _)| *part == Part::Core);
    let since = core.and_then(|(_, core)| state::core::view_waits_since(core));
    Dues { now: since.map(|at| at.plus_millis(VIEW_INTERVAL)), stream: None }
}

/// When the clocks were heard that were written, and how many they were.
type Written = (Now, usize);

/// The clocks of a partition are written once in so long, milliseconds.
const CLOCKS_INTERVAL: i64 = 10_000;

impl<T: Table> ExperienceStage<T> {
    /// Believes the clocks of source partitions by these limits.
    #[must_use]
    pub const fn with_clock_limits(mut self, limits: ClockLimits) -> Self {
        self.clock_limits = limits;
        self
    }

    /// Takes what a normalize worker tells a partition about its sources, as part of the open transaction.
    pub fn hear(&mut self, task: TaskId, progress: &Progress<'_>) {
        if let Some(time) = self.times.get_mut(&task) {
            time.hear(progress);
        }
    }

    /// Customers that wait for a timer; one may be counted more than once.
    #[must_use]
    pub fn timers_pending(&self) -> usize {
        self.times.values().map(|time| time.timers.len()).sum()
    }

    /// The earliest time in milliseconds at which a customer is to be looked at, whatever the clocks show.
    #[must_use]
    pub fn first_timer(&self) -> Option<i64> {
        let times = self.times.values();
        times.flat_map(|time| [time.timers.next(Clock::Now), time.timers.next(STREAM)]).flatten().min()
    }

    /// Source partitions that are left out of stream time because nobody spoke of them for too long: how many by kind, in
    /// the inbox partition that misses most.
    #[must_use]
    pub fn progress_missing(&self) -> Vec<(SourceKind, usize)> {
        let missing = |time: &TaskTime, kind| time.clocks.missing().filter(|row| row.source == kind).count();
        let most = |kind| self.times.values().map(|time| missing(time, kind)).max().unwrap_or_default();
        SourceKind::ALL.iter().map(|kind| (*kind, most(*kind))).collect()
    }

    /// Stream time by all sources of a partition, if there is one.
    #[must_use]
    pub fn stream_time(&self, task: TaskId) -> Option<StreamTime> {
        self.times.get(&task)?.stream
    }

    /// Customers whose timers are due join the overlay, so that they are changed and written like any other. Every partition
    /// gets its share first, then who needs more.
    pub(super) fn take_due(&mut self, now: Now) {
        let due = self.times.values().filter(|time| time.is_due(now)).count();
        if due == 0 {
            self.timers_left = false;
            return;
        }
        let mut left = TIMERS_MAX;
        for share in [(TIMERS_MAX / due).max(1), TIMERS_MAX] {
            for (task, time) in self.times.iter_mut().filter(|(_, time)| time.serves) {
                left -= time.take_due(*task, now, share.min(left), &self.table, &mut self.overlay);
            }
        }
        self.timers_left = self.times.values().any(|time| time.is_due(now));
    }

    /// Fires what is due for one customer, after the touchpoints of the transaction.
    pub(super) fn fire(&mut self, folding: &mut Folding, now: Now, outputs: &mut Outputs) {
        let dues = folding.customer.dues(&self.options.rules);
        if dues == Dues::default() {
            return;
        }
        let stream = self.times.get(&folding.task).filter(|time| time.serves).and_then(|time| time.stream);
        let is_due = dues.now.is_some_and(|due| due <= now)
            || dues.stream.is_some_and(|due| stream.is_some_and(|stream| due <= stream));
        if !is_due {
            return;
        }
        let customer = &mut folding.customer;
        let context =
            if self.options.switches.alert_context { declared(customer, &self.options.rules) } else { Vec::new() };
        let echo = customer.echo();
        let mut emitting = Emitting {
            options: &self.options,
            deployment: &self.deployment,
            touchpoint: &echo,
            influence: false,
            context,
            task: folding.task,
            now,
            outputs,
            counts: &mut self.counts,
            shown: Vec::new(),
        };
        let scope = Scope { rules: &self.options.rules, ids: &self.options.ids, now, rebuild: false };
        let fired = customer.fire(&echo, stream, &scope, &mut |emission| emitting.emission(emission));
        let shown = emitting.shown;
        folding.show(shown);
        folding.view_wanted |= fired.view;
        self.count_fired(fired, now, stream);
    }

    fn count_fired(&mut self, fired: Fired, now: Now, stream: Option<StreamTime>) {
        if let Some(due) = fired.now {
            self.counts.fired.push((ClockKind::Now, now.as_millis() - due.as_millis()));
        }
        if let (Some(due), Some(stream)) = (fired.stream, stream) {
            self.counts.fired.push((ClockKind::Stream, stream.as_millis() - due.as_millis()));
        }
    }

    /// Writes what is known of the sources, under the reserved key of each partition.
    pub(super) fn write_clocks(&mut self, outputs: &mut Outputs) {
        for (task, time) in &mut self.times {
            if let Some(heard) = time.take_unwritten() {
                outputs
                    .record(Topic::ExperienceChangelog, Some(task.partition))
                    .key(WATERMARKS_KEY)
                    .value(|out| heard.write(out))
                    .end();
            }
        }
    }

    pub(super) fn restore_clocks(&mut self, task: TaskId, value: Option<&[u8]>) -> Result<(), StateMismatch> {
        let Some(time) = self.times.get_mut(&task) else { return Ok(()) };
        time.clocks = SourceClocks::read(value.unwrap_or_default(), self.clock_limits)
            .map_err(|error| StateMismatch(format!("the watermarks of the state cannot be read: {error}")))?;
        time.stream = time.clocks.stream_time(SourceSet::ALL);
        Ok(())
    }

    /// Remembers a customer under restore that may have a timer: one with alerts, or with a single view that waits.
    pub(super) fn note_timers(&mut self, task: TaskId, node: NodeId, group: Group, value: &[u8]) {
        let has_timers = if group == GROUPS[0] {
            parts(value).take(1).any(|(part, bytes)| part == Part::Core && state::core::has_view_pending(bytes))
        } else {
            group == GROUPS[3]
        };
        if has_timers && let Some(time) = self.times.get_mut(&task) {
            time.restoring.push(node);
        }
    }

    /// The state of a partition is complete: the timers of its customers are armed, and may fire.
    pub(super) fn serve(&mut self, task: TaskId) {
        let Some(time) = self.times.get_mut(&task) else { return };
        time.serves = true;
        let mut nodes = std::mem::take(&mut time.restoring);
        nodes.sort_unstable();
        nodes.dedup();
        for node in nodes {
            let Some(bytes) = self.table.get(&node) else { continue };
            let dues = dues_of(node, &bytes, &self.options.rules);
            time.timers.rearm(Clock::Now, node, None, dues.now.map(Now::as_millis));
            time.timers.rearm(STREAM, node, None, dues.stream.map(StreamTime::as_millis));
        }
    }
}
