//! Entries of a frame applied one by one, and customers written at the end of a transaction.

use std::sync::Arc;

use throughline_codec::dead_letter::{DeadLetter, Origin};
use throughline_codec::entry::{self, Context, EntryError};
use throughline_codec::frame::{self, EntryKind};
use throughline_codec::record::Encoding;
use throughline_codec::{headers, progress};
use throughline_experience::profile::purpose_of;
use throughline_experience::{AlertTransition, Customer, Emission, Part, Rules, Scope, ValuedTouchpoint, valuation};
use throughline_model::alert::Transition;
use throughline_model::murmur2::partition_of;
use throughline_model::{
    AlertId, EventTime, Fate, NodeId, Now, Partition, Purpose, RejectionReason, Stage, Topic, Touchpoint,
    TouchpointType,
};
use throughline_worker::{InputRecord, Outputs, ProcessContext, StateMismatch, TaskId};

use super::overlay::Lent;
use super::{ExperienceCounts, ExperienceOptions, ExperienceStage};
use crate::normalize_stage::dead_letter;
use crate::options::TouchpointOutput;
use crate::publish::{self, Deployment};
use crate::table::{LiveAlert, Table, read};

impl<T: Table> ExperienceStage<T> {
    pub(super) fn frame(&mut self, record: &InputRecord<'_>, context: ProcessContext, outputs: &mut Outputs) {
        if context.reject {
            self.reject(
                record,
                0,
                RejectionReason::OutputRejected,
                "the broker refused what this frame becomes",
                context.now,
                outputs,
            );
            return;
        }
        let mut entries = match record.value.map(frame::open) {
            Some(Ok(entries)) => entries,
            Some(Err(error)) => {
                self.reject(record, 0, RejectionReason::Undecodable, &error.to_string(), context.now, outputs);
                return;
            }
            None => {
                self.reject(record, 0, RejectionReason::NullValue, "a frame without a value", context.now, outputs);
                return;
            }
        };
        self.overlay.keep(record);
        let value = record.value.unwrap_or_default();
        let mut next = 0;
        loop {
            match entries.next() {
                Ok(Some(read @ frame::Entry { kind: EntryKind::Touchpoint, .. })) => {
                    next = read.index + 1;
                    match entry::node(read.bytes) {
                        Ok(Some(node)) => self.overlay.hold(node, value, &read, entries.contexts()),
                        Ok(None) => {
                            let common = entries.context(read.context);
                            self.nameless(record, &read, common, context.now, outputs);
                        }
                        Err(error) => self.undecodable(record, read.index, &error, context.now, outputs),
                    }
                }
                Ok(Some(read @ frame::Entry { kind: EntryKind::Progress, .. })) => {
                    next = read.index + 1;
                    match progress::decode(read.bytes) {
                        Ok(progress) => self.hear(record.task, &progress),
                        Err(error) => self.undecodable(record, read.index, &error.into(), context.now, outputs),
                    }
                }
                // Kinds of later stages of the product: known by name, nothing to do yet.
                Ok(Some(other)) => next = other.index + 1,
                Ok(None) => break,
                Err(error) => {
                    self.reject(record, next, RejectionReason::Undecodable, &error.to_string(), context.now, outputs);
                    break;
                }
            }
        }
    }

    fn undecodable(
        &mut self,
        record: &InputRecord<'_>,
        entry: u32,
        error: &EntryError,
        now: Now,
        outputs: &mut Outputs,
    ) {
        self.reject(record, entry, RejectionReason::Undecodable, &error.to_string(), now, outputs);
    }

    fn reject(
        &mut self,
        record: &InputRecord<'_>,
        entry: u32,
        reason: RejectionReason,
        detail: &str,
        now: Now,
        outputs: &mut Outputs,
    ) {
        self.counts.touchpoints.add(Fate::Rejected(reason));
        let letter = DeadLetter {
            origin: Origin {
                topic: self.options.inputs[usize::from(record.task.topic)].as_str().into(),
                partition: Partition(record.task.partition),
                offset: record.offset,
            },
            stage: Stage::Experience,
            reason,
            detail: detail.into(),
            field: "".into(),
            entry,
            format: "frame".into(),
            mapping: 0,
            producer: "".into(),
            source_id: "".into(),
            rejected_at: now,
        };
        dead_letter(&letter, record, outputs);
    }

    /// Applies what is held for one customer and writes what comes of it.
    /// `before` are its committed bytes.
    pub(super) fn fold_customer(
        &mut self,
        at: usize,
        before: Option<Arc<[u8]>>,
        lent: &Lent<'_>,
        now: Now,
        outputs: &mut Outputs,
    ) {
        let (node, task) = (self.overlay.at(at).node, self.overlay.at(at).task);
        let customer = match &before {
            // Committed bytes were written by this program or checked when they were restored.
            Some(bytes) => read(node, bytes).expect("committed state is readable"),
            None => Customer::new(node),
        };
        let service_before =
            before.is_none() || customer.allows(Purpose::Service, customer.as_of(), &self.options.rules);
        let mut folding = Folding {
            at,
            node,
            task,
            alerts_before: customer.open_alerts().iter().map(|alert| alert.alert_id).collect(),
            customer,
            before,
            service_before,
            view_urgent: false,
            view_wanted: false,
            has_input: false,
            alerts: None,
            trace: None,
        };
        let dues = folding.customer.dues(&self.options.rules);
        let mut next = self.overlay.first_entry(at);
        while let Some(held) = next {
            next = self.overlay.entry_after(held);
            match lent.context(held).and_then(|common| entry::decode(common, lent.bytes(held))) {
                Ok(touchpoint) => self.touchpoint(&mut folding, &touchpoint, now, outputs),
                Err(error) => {
                    let (record, extra) = self.overlay.record_of(held);
                    self.undecodable(&record.input(lent, &extra), held.index(), &error, now, outputs);
                }
            }
        }
        self.fire(&mut folding, now, outputs);
        self.write_customer(&mut folding, now, outputs);
        self.overlay.at_mut(at).dues = (dues, folding.customer.dues(&self.options.rules));
        let Folding { customer, alerts, alerts_before, .. } = folding;
        if let Some(changed) = alerts {
            let open = customer.open_alerts();
            let ended =
                alerts_before.into_iter().filter(|id| !open.iter().any(|alert| alert.alert_id == *id)).collect();
            self.overlay.at_mut(at).alerts = Some(Box::new((ended, changed)));
        }
    }

    fn touchpoint(&mut self, folding: &mut Folding, touchpoint: &Touchpoint<'_>, now: Now, outputs: &mut Outputs) {
        folding.has_input = true;
        let scope = Scope { rules: &self.options.rules, ids: &self.options.ids, now, rebuild: false };
        let customer = &mut folding.customer;
        // A touchpoint that changes consent itself is shown without what needs consent: the stricter reading.
        let influence = touchpoint.body().consents.is_empty()
            && customer.allows(Purpose::Influence, customer.as_of(), &self.options.rules);
        let context = match (self.options.switches.alert_context, touchpoint.body().consents.is_empty()) {
            (true, true) => declared(customer, &self.options.rules),
            _ => Vec::new(),
        };
        let mut emitting = Emitting {
            options: &self.options,
            deployment: &self.deployment,
            touchpoint,
            influence,
            context,
            task: folding.task,
            now,
            outputs,
            counts: &mut self.counts,
            shown: Vec::new(),
        };
        let fate = customer.apply(touchpoint, &scope, &mut |emission| emitting.emission(emission));
        let shown = emitting.shown;
        folding.show(shown);
        let customer = &folding.customer;
        if let Some(trace) = &touchpoint.header().trace {
            folding.trace = Some((trace.0.to_string(), trace.1.to_string()));
        }
        folding.view_urgent |= customer.dirty_parts().contains(Part::Profile)
            && matches!(
                touchpoint.body().kind,
                TouchpointType::ConsentChanged | TouchpointType::ProfileChanged | TouchpointType::PreferenceDeclared
            );
        if fate == Fate::Applied {
            let header = touchpoint.header();
            self.counts.ages.push((header.occurred_at.as_millis(), header.received_at.as_millis()));
        }
        self.counts.touchpoints.add(fate);
    }

    /// A touchpoint without any identifier: valued and published, no customer, no state, no dedup.
    fn nameless(
        &mut self,
        record: &InputRecord<'_>,
        read: &frame::Entry<'_>,
        common: &[u8],
        now: Now,
        outputs: &mut Outputs,
    ) {
        let decoded = Context::read(common).and_then(|common| entry::decode(&common, read.bytes));
        let touchpoint = match decoded {
            Ok(touchpoint) => touchpoint,
            Err(error) => return self.undecodable(record, read.index, &error, now, outputs),
        };
        let touchpoint = &touchpoint;
        let valuation = valuation(touchpoint, &self.options.rules);
        let valued = ValuedTouchpoint {
            customer: None,
            as_of: touchpoint.header().occurred_at,
            retracted: false,
            valuation: &valuation,
            expected: None,
            disconfirmation: None,
        };
        let partition = partition_of(touchpoint.header().touchpoint_id.hex().as_bytes(), self.options.partitions);
        write_touchpoint(&self.options, &self.deployment, touchpoint, &valued, &|_| false, partition, now, outputs);
        self.counts.touchpoints.add(Fate::Applied);
    }

    /// Writes what is coalesced per transaction for one customer: score, single view, changed parts.
    fn write_customer(&mut self, folding: &mut Folding, now: Now, outputs: &mut Outputs) {
        let rules = &self.options.rules;
        let switches = self.options.switches;
        let (node, partition) = (folding.node, folding.task.partition);
        let customer = &mut folding.customer;
        let as_of = customer.as_of();
        if !customer.allows(Purpose::Service, as_of, rules) {
            if folding.service_before {
                // Withdrawn: the deletion is in the commit that reads the withdrawal.
                for (on, topic) in [(switches.scores, Topic::Scores), (switches.customers, Topic::Customers)] {
                    if on {
                        outputs.record(topic, Some(partition)).key(node.hex().as_bytes()).end();
                    }
                }
            }
        } else if !customer.dirty_parts().is_empty() || folding.view_wanted {
            let view = customer.score(rules, as_of);
            let returned = !folding.service_before;
            let moved = if folding.has_input { customer.score_due(&view) } else { customer.score_drifted(&view) };
            // A review that finds nothing new leaves the single view as it is.
            folding.view_wanted |= moved || folding.has_input || customer.dirty_parts().contains(Part::Alerts);
            if switches.scores && (returned || moved) {
                let version = customer.mark_score_published(&view);
                let encoding = self.options.encodings.scores;
                let deployment = &self.deployment;
                let mut writer = outputs
                    .record(Topic::Scores, Some(partition))
                    .key(node.hex().as_bytes())
                    .value(|out| publish::score(deployment, node, &view, version, now, encoding, out))
                    .header(headers::CONTENT_TYPE, encoding.content_type().as_bytes());
                if let Some(trace) = &folding.trace {
                    writer = writer.header(headers::TRACE_PARENT, trace.0.as_bytes());
                    if !trace.1.is_empty() {
                        writer = writer.header(headers::TRACE_STATE, trace.1.as_bytes());
                    }
                }
                writer.end();
            }
            if switches.customers && folding.view_wanted {
                self.write_view(folding, now, outputs);
            }
        }
        self.write_changelog(folding, outputs);
    }

    fn write_view(&mut self, folding: &mut Folding, now: Now, outputs: &mut Outputs) {
        let customer = &mut folding.customer;
        if !(folding.view_urgent || customer.view_due(now)) {
            customer.put_view_off();
            return;
        }
        let (node, partition) = (folding.node, folding.task.partition);
        let version = customer.mark_view_published(now);
        let score_version = customer.core.published.scores_version;
        let view = customer.view(&self.options.rules, customer.as_of());
        let encoding = self.options.encodings.customers;
        let deployment = &self.deployment;
        outputs
            .record(Topic::Customers, Some(partition))
            .key(node.hex().as_bytes())
            .value(|out| publish::customer(deployment, &view, version, score_version, now, encoding, out))
            .header(headers::CONTENT_TYPE, encoding.content_type().as_bytes())
            .end();
    }

    /// After a restored alerts part: what queries see of it.
    pub(super) fn show_alerts(&self, task: TaskId, node: NodeId) -> Result<(), StateMismatch> {
        let Some(bytes) = self.table.get(&node) else { return Ok(()) };
        let customer = read(node, &bytes)
            .map_err(|error| StateMismatch(format!("{error}; check it with the state verify command")))?;
        self.table.alerts(task.partition, node, &[], &live_alerts(&self.deployment, &self.options.rules, &customer));
        Ok(())
    }
}

/// One customer while its entries are applied.
pub(super) struct Folding {
    /// Its position in the overlay.
    pub(super) at: usize,
    pub(super) node: NodeId,
    pub(super) task: TaskId,
    pub(super) customer: Customer,
    /// Committed bytes it was read from.
    pub(super) before: Option<Arc<[u8]>>,
    /// Whether outputs were allowed before this transaction.
    service_before: bool,
    /// Something that the single view shows at once changed: consent, identity.
    view_urgent: bool,
    /// Its single view is due.
    pub(super) view_wanted: bool,
    /// A touchpoint was applied; otherwise time alone changes it.
    has_input: bool,
    /// Ids of its live alerts before this transaction.
    alerts_before: Vec<AlertId>,
    /// Its live alerts that had a transition.
    alerts: Option<Vec<LiveAlert>>,
    /// Trace context of the latest touchpoint that carried one.
    trace: Option<(String, String)>,
}

/// A transition as queries show it: id, due time, the record as JSON.
pub(super) type Shown = (AlertId, Option<EventTime>, Arc<str>);

impl Folding {
    /// Keeps what queries show of the alerts that had a transition.
    pub(super) fn show(&mut self, shown: Vec<Shown>) {
        if shown.is_empty() {
            return;
        }
        let open = self.customer.open_alerts();
        let changed = self.alerts.get_or_insert_default();
        changed.retain(|live| !shown.iter().any(|(id, _, _)| *id == live.alert.alert_id));
        changed.extend(shown.into_iter().filter_map(|(id, due_at, record)| {
            let alert = *open.iter().find(|alert| alert.alert_id == id)?;
            Some(LiveAlert { alert, due_at, record })
        }));
    }
}

/// The live alerts of a customer, as far as state alone tells.
fn live_alerts(deployment: &Deployment, rules: &Rules, customer: &Customer) -> Vec<LiveAlert> {
    let held = customer.alerts.as_ref().map_or(&[][..], |book| &book.records);
    let open = customer.open_alerts();
    held.iter()
        .filter_map(|record| {
            let alert = *open.iter().find(|alert| alert.alert_id == record.id)?;
            let due_at = rules.read.alerts.of(record.kind).due.map(|due| record.opened_at.plus_millis(due.millis()));
            let json = publish::open_alert_json(deployment, customer.node(), record, due_at);
            Some(LiveAlert { alert, due_at, record: json.into() })
        })
        .collect()
}

/// Writes what a touchpoint makes the outside hear.
pub(super) struct Emitting<'s, 't> {
    pub(super) options: &'s ExperienceOptions,
    pub(super) deployment: &'s Deployment,
    pub(super) touchpoint: &'s Touchpoint<'t>,
    pub(super) influence: bool,
    /// Names and values for alerts.
    pub(super) context: Vec<(Box<str>, Box<str>)>,
    pub(super) task: TaskId,
    pub(super) now: Now,
    pub(super) outputs: &'s mut Outputs,
    pub(super) counts: &'s mut ExperienceCounts,
    /// What queries show of the alerts that had a transition: id, due time, the record as JSON.
    pub(super) shown: Vec<Shown>,
}

impl Emitting<'_, '_> {
    pub(super) fn emission(&mut self, emission: Emission<'_>) {
        match emission {
            Emission::Touchpoint(valued) => {
                let influence = self.influence;
                write_touchpoint(
                    self.options,
                    self.deployment,
                    self.touchpoint,
                    &valued,
                    &|purpose| purpose == Purpose::Influence && influence,
                    self.task.partition,
                    self.now,
                    self.outputs,
                );
            }
            Emission::Alert(transition) => self.alert(&transition),
            Emission::Capped(component) => self.counts.capped[usize::from(component.code())] += 1,
        }
    }

    /// Counts a transition; whether anybody may see it.
    fn is_shown(&mut self, transition: &AlertTransition) -> bool {
        use throughline_model::alert::TransitionReason;
        if transition.transition == Transition::Suppressed {
            self.counts.suppressed.push((transition.kind, transition.reason));
            return self.options.switches.suppressed_alerts && transition.reason != TransitionReason::Consent;
        }
        let AlertTransition { kind, severity, state, .. } = *transition;
        self.counts.transitions.push((kind, severity, state, transition.transition));
        if transition.transition == Transition::Opened {
            let after = self.now.as_millis() - self.touchpoint.header().received_at.as_millis();
            self.counts.detected.push((kind, after));
        }
        true
    }

    fn alert(&mut self, transition: &AlertTransition) {
        if !self.is_shown(transition) {
            return;
        }
        let published = self.options.switches.alerts;
        let (subject, id) = (transition.customer.hex(), transition.alert_id.hex());
        // The third is for queries.
        let encodings = [self.options.encodings.alerts, self.options.encodings.alerts_state, Encoding::Json];
        let partition = self.task.partition;
        let trace = self.touchpoint.header().trace.as_deref();
        let targets = self.targets(transition);
        let addressed = publish::Addressed { targets: &targets, context: &self.context };
        let (outputs, deployment) = (&mut *self.outputs, self.deployment);
        let mut shown = Vec::new();
        publish::alert(deployment, transition, &addressed, self.now, &encodings, |at, write| {
            if at == 2 {
                write(&mut shown);
                return;
            }
            if !published {
                return;
            }
            let (topic, key, partition) = if at == 0 {
                (Topic::Alerts, subject.as_bytes(), Some(partition))
            } else {
                (Topic::AlertsState, id.as_bytes(), None)
            };
            let mut writer = outputs
                .record(topic, partition)
                .key(key)
                .value(|out| write(out))
                .header(headers::CONTENT_TYPE, encodings[at].content_type().as_bytes())
                .header(headers::ALERT_TYPE, transition.kind.as_str().as_bytes())
                .header(headers::ALERT_SEVERITY, transition.severity.as_str().as_bytes())
                .header(headers::ALERT_TRANSITION, transition.transition.as_str().as_bytes())
                .header(headers::ALERT_PAGE, if transition.page { b"true" } else { b"false" });
            if let Some(trace) = trace {
                writer = writer.header(headers::TRACE_PARENT, trace.0.as_bytes());
                if !trace.1.is_empty() {
                    writer = writer.header(headers::TRACE_STATE, trace.1.as_bytes());
                }
            }
            if at == 0 {
                let attributes = throughline_codec::cloudevents::AlertAttributes {
                    tenant: &deployment.tenant,
                    alert_id: id.as_str(),
                    seq: i64::from(transition.seq),
                    transition: transition.transition.as_str(),
                    subject_id: subject.as_str(),
                    changed_at: transition.changed_at,
                };
                let mut cloud: Vec<(&'static str, Vec<u8>)> = Vec::with_capacity(6);
                attributes.encode(&mut Vec::new(), |name, value| cloud.push((name, value.to_vec())));
                for (name, value) in cloud {
                    writer = writer.header(name, &value);
                }
            }
            writer.end();
        });
        if transition.transition != Transition::Suppressed {
            let record = String::from_utf8(shown).expect("JSON is written as text");
            self.shown.retain(|(known, _, _)| *known != transition.alert_id);
            self.shown.push((transition.alert_id, transition.due_at, record.into()));
        }
    }

    /// Whom the recipients of an alert are, in their order; empty where nobody is named, which is counted.
    fn targets(&mut self, transition: &AlertTransition) -> Vec<String> {
        let targets = &self.options.targets;
        if !targets.is_configured() {
            return Vec::new();
        }
        let mut found = Vec::with_capacity(transition.recipients.len());
        for recipient in &transition.recipients {
            let target = targets.target(recipient.role, &recipient.entity);
            if target.is_none() {
                self.counts.untargeted.push(recipient.role);
            }
            found.push(target.unwrap_or_default());
        }
        found
    }
}

/// Declared attributes in force that may be used for personalization. A touchpoint that declares one is shown with it from
/// the next alert on.
pub(super) fn declared(customer: &Customer, rules: &Rules) -> Vec<(Box<str>, Box<str>)> {
    let at = customer.as_of();
    let Some(profile) = &customer.profile else { return Vec::new() };
    if !customer.allows(Purpose::Personalization, at, rules) {
        return Vec::new();
    }
    let (attributes, _) = profile.attributes_at(at, &rules.deployment.attribute_priority);
    attributes
        .into_iter()
        .filter(|value| purpose_of(value) == Some(Purpose::Personalization))
        .map(|value| (value.name.clone(), value.value.clone()))
        .collect()
}

#[allow(clippy::too_many_arguments)] // One call of one place each; a struct would only rename the arguments.
fn write_touchpoint(
    options: &ExperienceOptions,
    deployment: &Deployment,
    touchpoint: &Touchpoint<'_>,
    valued: &ValuedTouchpoint<'_>,
    allows: &dyn Fn(Purpose) -> bool,
    partition: i32,
    now: Now,
    outputs: &mut Outputs,
) {
    let wanted = match options.switches.touchpoints {
        TouchpointOutput::Off => false,
        TouchpointOutput::Valenced => valued.valuation.is_valenced() || valued.retracted,
        TouchpointOutput::On => true,
    };
    if !wanted {
        return;
    }
    let encoding: Encoding = options.encodings.touchpoints;
    let id = touchpoint.header().touchpoint_id.hex();
    let customer = valued.customer.map(|node| node.hex());
    let key = customer.as_ref().unwrap_or(&id);
    let mut writer = outputs
        .record(Topic::Touchpoints, Some(partition))
        .key(key.as_bytes())
        .value(|out| publish::touchpoint(deployment, touchpoint, valued, allows, now, encoding, out))
        .header(headers::CONTENT_TYPE, encoding.content_type().as_bytes());
    if let Some(trace) = &touchpoint.header().trace {
        writer = writer.header(headers::TRACE_PARENT, trace.0.as_bytes());
        if !trace.1.is_empty() {
            writer = writer.header(headers::TRACE_STATE, trace.1.as_bytes());
        }
    }
    writer.end();
}
