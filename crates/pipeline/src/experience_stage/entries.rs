//! Entries of a frame applied one by one, and customers written at the end of a transaction.

use std::sync::Arc;

use throughline_codec::dead_letter::{DeadLetter, Origin};
use throughline_codec::frame::{self, EntryKind};
use throughline_codec::headers;
use throughline_codec::record::Encoding;
use throughline_experience::profile::purpose_of;
use throughline_experience::{AlertTransition, Customer, Emission, Part, Rules, Scope, ValuedTouchpoint, valuation};
use throughline_model::alert::Transition;
use throughline_model::murmur2::partition_of;
use throughline_model::{
    AlertId, EventTime, Fate, NodeId, Now, Partition, Purpose, RejectionReason, Stage, Topic, Touchpoint,
    TouchpointType,
};
use throughline_worker::{InputRecord, Outputs, ProcessContext, StateMismatch, TaskId};

use super::overlay::Loaded;
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
        let mut next = 0;
        loop {
            match entries.next() {
                Ok(Some((index, EntryKind::Touchpoint, bytes))) => {
                    next = index + 1;
                    match throughline_codec::entry::decode(bytes) {
                        Ok(touchpoint) => self.touchpoint(record.task, &touchpoint, context.now, outputs),
                        Err(error) => {
                            let why = error.to_string();
                            self.reject(record, index, RejectionReason::Undecodable, &why, context.now, outputs);
                        }
                    }
                }
                // Kinds of later stages of the product: known by name, nothing to do yet.
                Ok(Some((index, _, _))) => next = index + 1,
                Ok(None) => break,
                Err(error) => {
                    self.reject(record, next, RejectionReason::Undecodable, &error.to_string(), context.now, outputs);
                    break;
                }
            }
        }
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

    /// A customer from the committed table; none if there is none.
    pub(super) fn load(&self, node: NodeId) -> Option<Loaded> {
        let before = self.table.get(&node)?;
        // Committed bytes were written by this program or checked when they were restored.
        let customer = read(node, &before).expect("committed state is readable");
        let service = customer.allows(Purpose::Service, customer.as_of(), &self.options.rules);
        Some(Loaded { customer, before: Some(before), service })
    }

    fn touchpoint(&mut self, task: TaskId, touchpoint: &Touchpoint<'_>, now: Now, outputs: &mut Outputs) {
        let Some(node) = touchpoint.header().node else {
            self.nameless(touchpoint, now, outputs);
            return;
        };
        let at = match self.overlay.position(&node) {
            Some(at) => at,
            None => {
                let loaded = self.load(node).unwrap_or_else(|| Loaded {
                    customer: Customer::new(node),
                    before: None,
                    service: true,
                });
                self.overlay.touch(node, task, loaded)
            }
        };
        let touched = self.overlay.at_mut(at);
        if touched.alerts.is_none() && touched.alerts_before.is_empty() {
            touched.alerts_before = touched.customer.open_alerts().iter().map(|alert| alert.alert_id).collect();
        }
        let scope = Scope { rules: &self.options.rules, ids: &self.options.ids, now, rebuild: false };
        // A touchpoint that changes consent itself is shown without what needs consent: the stricter reading.
        let influence = touchpoint.body().consents.is_empty()
            && touched.customer.allows(Purpose::Influence, touched.customer.as_of(), &self.options.rules);
        let context = match (self.options.switches.alert_context, touchpoint.body().consents.is_empty()) {
            (true, true) => declared(&touched.customer, &self.options.rules),
            _ => Vec::new(),
        };
        let mut emitting = Emitting {
            options: &self.options,
            deployment: &self.deployment,
            touchpoint,
            influence,
            context,
            task,
            now,
            outputs,
            counts: &mut self.counts,
            shown: Vec::new(),
        };
        let fate = touched.customer.apply(touchpoint, &scope, &mut |emission| emitting.emission(emission));
        let shown = emitting.shown;
        if !shown.is_empty() {
            let open = touched.customer.open_alerts();
            let changed = touched.alerts.get_or_insert_default();
            changed.retain(|live| !shown.iter().any(|(id, _, _)| *id == live.alert.alert_id));
            changed.extend(shown.into_iter().filter_map(|(id, due_at, record)| {
                let alert = *open.iter().find(|alert| alert.alert_id == id)?;
                Some(LiveAlert { alert, due_at, record })
            }));
        }
        if let Some(trace) = &touchpoint.header().trace {
            touched.trace = Some(Box::new((trace.0.to_string(), trace.1.to_string())));
        }
        touched.view_urgent |= touched.customer.dirty_parts().contains(Part::Profile)
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
    fn nameless(&mut self, touchpoint: &Touchpoint<'_>, now: Now, outputs: &mut Outputs) {
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
    pub(super) fn write_customer(&mut self, at: usize, now: Now, outputs: &mut Outputs) {
        let rules = Arc::clone(&self.options.rules);
        let switches = self.options.switches;
        let touched = self.overlay.at_mut(at);
        let (node, partition) = (touched.node, touched.task.partition);
        let as_of = touched.customer.as_of();
        let allowed = touched.customer.allows(Purpose::Service, as_of, &rules);
        if !allowed {
            if touched.service_before {
                // Withdrawn: the deletion is in the commit that reads the withdrawal.
                for (on, topic) in [(switches.scores, Topic::Scores), (switches.customers, Topic::Customers)] {
                    if on {
                        outputs.record(topic, Some(partition)).key(node.hex().as_bytes()).end();
                    }
                }
            }
        } else if !touched.customer.dirty_parts().is_empty() || touched.view_wanted {
            let view = touched.customer.score(&rules, as_of);
            let returned = !touched.service_before;
            if switches.scores && (returned || touched.customer.score_due(&view)) {
                let version = touched.customer.mark_score_published(&view);
                let encoding = self.options.encodings.scores;
                let deployment = &self.deployment;
                let mut writer = outputs
                    .record(Topic::Scores, Some(partition))
                    .key(node.hex().as_bytes())
                    .value(|out| publish::score(deployment, node, &view, version, now, encoding, out))
                    .header(headers::CONTENT_TYPE, encoding.content_type().as_bytes());
                if let Some(trace) = &touched.trace {
                    writer = writer.header(headers::TRACE_PARENT, trace.0.as_bytes());
                    if !trace.1.is_empty() {
                        writer = writer.header(headers::TRACE_STATE, trace.1.as_bytes());
                    }
                }
                writer.end();
            }
            if switches.customers {
                self.write_view(at, now, outputs);
            }
        }
        self.write_changelog(at, outputs);
    }

    fn write_view(&mut self, at: usize, now: Now, outputs: &mut Outputs) {
        let rules = Arc::clone(&self.options.rules);
        let touched = self.overlay.at_mut(at);
        if !(touched.view_urgent || touched.customer.view_due(now)) {
            touched.view_pending = true;
            return;
        }
        let (node, partition) = (touched.node, touched.task.partition);
        let version = touched.customer.mark_view_published(now);
        let score_version = touched.customer.core.published.scores_version;
        let view = touched.customer.view(&rules, touched.customer.as_of());
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
struct Emitting<'s, 't> {
    options: &'s ExperienceOptions,
    deployment: &'s Deployment,
    touchpoint: &'s Touchpoint<'t>,
    influence: bool,
    /// Names and values for alerts.
    context: Vec<(Box<str>, Box<str>)>,
    task: TaskId,
    now: Now,
    outputs: &'s mut Outputs,
    counts: &'s mut ExperienceCounts,
    /// What queries show of the alerts that had a transition: id, due time, the record as JSON.
    shown: Vec<(AlertId, Option<EventTime>, Arc<str>)>,
}

impl Emitting<'_, '_> {
    fn emission(&mut self, emission: Emission<'_>) {
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
fn declared(customer: &Customer, rules: &Rules) -> Vec<(Box<str>, Box<str>)> {
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
