//! Starts that are refused: what does not fit is named, with the offsets and the command that fixes it. Nothing is reset
//! silently.

use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use throughline_model::NextOffset;
use throughline_worker::{Processor, TaskId};

use super::membership::read_committed;
use super::{Driver, DriverError, DriverOptions, Observer};
use crate::classify::{Reaction, classify};

/// A new leader may tell an end that is too low for a moment.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(200);
const CALL_TIMEOUT: Duration = Duration::from_secs(10);

impl<P: Processor, O: Observer<P>> Driver<P, O> {
    /// Whether the input still holds what the group committed: neither deleted by retention nor made anew.
    pub(super) fn check_input(&mut self, task: TaskId, next: NextOffset) -> Result<(), DriverError> {
        let topic = self.options.inputs[usize::from(task.topic)].clone();
        let deadline = Instant::now() + SETTLE_LIMIT;
        loop {
            match self.consumer.fetch_watermarks(&topic, task.partition, CALL_TIMEOUT) {
                Ok((low, _)) if next.0 < low => return Err(self.gone(topic, task.partition, next, low)),
                Ok((_, high)) if next.0 > high && Instant::now() >= deadline => {
                    return Err(self.made_anew(topic, task.partition, next, high));
                }
                Ok((_, high)) if next.0 > high => {}
                Ok(_) => return Ok(()),
                Err(error) if classify(&error) == Reaction::Retry => self.note_fault(Reaction::Retry, &error),
                Err(error) => return Err(error.into()),
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Retention overtook a partition while it waited. librdkafka does not say which one; what the group committed does.
    pub(super) fn overtaken(&mut self, error: &KafkaError) -> DriverError {
        let tasks: Vec<TaskId> = self.worker.tasks().map(|(task, _)| task).collect();
        let committed = read_committed(&self.consumer, &self.options.inputs, &tasks).unwrap_or_default();
        for (task, committed) in tasks.into_iter().zip(committed) {
            if let Some(at) = committed
                && let Err(refused @ DriverError::Input { .. }) = self.check_input(task, at.next)
            {
                return refused;
            }
        }
        DriverError::Refused(format!(
            "{error}: input that group {} has not read is gone from {}; nothing is reset silently, and the next start names the \
             partition, the offsets and the command",
            self.options.group,
            self.options.inputs.join(", ")
        ))
    }

    fn gone(&self, topic: String, partition: i32, next: NextOffset, low: i64) -> DriverError {
        let why = format!(
            "the group goes on at offset {next}, and the first one left is {low}: {} offsets were deleted by retention before \
             they were read, and nothing is reset silently. To go on without them, stop all processes of this deployment \
             and run: {}",
            low - next.0,
            self.reset(&topic, partition, "--to-earliest"),
            next = next.0,
        );
        DriverError::Input { topic, partition, why }
    }

    fn made_anew(&self, topic: String, partition: i32, next: NextOffset, high: i64) -> DriverError {
        let why = format!(
            "the group goes on at offset {next}, and the topic ends at {high}: it was made anew or lost its end, and nothing is \
             reset silently. To read what it holds now from its start, stop all processes of this deployment and run: {}",
            self.reset(&topic, partition, "--to-earliest"),
            next = next.0,
        );
        DriverError::Input { topic, partition, why }
    }

    fn reset(&self, topic: &str, partition: i32, target: &str) -> String {
        format!(
            "kafka-consumer-groups.sh --bootstrap-server {} --group {} --topic {topic}:{partition} --reset-offsets {target} \
             --execute",
            self.client.brokers, self.options.group
        )
    }
}

/// What a person can do about an error that no repetition cures; none where nothing better is known than the error itself.
pub(super) fn advice(error: &KafkaError, options: &DriverOptions) -> Option<String> {
    use RDKafkaErrorCode as Code;
    let code = error.rdkafka_error_code()?;
    let denied = |what: String| {
        Some(format!(
            "not allowed by the brokers ({code}): {what}; `throughline check --connect` lists every right that is missing"
        ))
    };
    match code {
        Code::TopicAuthorizationFailed => denied(match error {
            KafkaError::MessageProduction(_) | KafkaError::Transaction(_) => {
                format!("writing to one of {}", options.outputs.join(", "))
            }
            _ => {
                let changelog = options.changelog.iter();
                let topics: Vec<&str> = options.inputs.iter().chain(changelog).map(String::as_str).collect();
                format!("reading one of {}", topics.join(", "))
            }
        }),
        Code::GroupAuthorizationFailed => denied(format!("consumer group {}", options.group)),
        Code::TransactionalIdAuthorizationFailed => denied(format!("transactional id {}", options.transactional_id)),
        Code::ClusterAuthorizationFailed => denied("idempotent writes on the cluster".to_owned()),
        Code::UnsupportedVersion | Code::UnsupportedFeature => Some(format!(
            "the brokers are too old ({code}): transactions that carry consumer offsets need Apache Kafka 3.7 or newer"
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::restore::RestoreOptions;
    use throughline_model::Stage;
    use throughline_worker::WorkerOptions;

    fn options() -> DriverOptions {
        DriverOptions {
            stage: Stage::Experience,
            name: "experience-0".to_owned(),
            group: "app-experience".to_owned(),
            instance: "app-0".to_owned(),
            transactional_id: "app-experience-0-0".to_owned(),
            inputs: vec!["inbox".to_owned()],
            outputs: vec!["scores".to_owned()],
            changelog: Some("changelog".to_owned()),
            start: super::super::Start::Earliest,
            worker: WorkerOptions::default(),
            transaction_timeout: Duration::ZERO,
            transaction_age_max: Duration::ZERO,
            session_timeout: Duration::ZERO,
            connect_timeout: Duration::ZERO,
            poll_records_max: 1,
            restore: RestoreOptions::default(),
        }
    }

    #[test]
    fn what_is_denied_is_named() {
        use RDKafkaErrorCode as Code;
        let cases = [
            (KafkaError::MessageConsumption(Code::TopicAuthorizationFailed), "inbox, changelog"),
            (KafkaError::MessageProduction(Code::TopicAuthorizationFailed), "scores"),
            (KafkaError::MessageConsumption(Code::GroupAuthorizationFailed), "app-experience;"),
            (KafkaError::MessageProduction(Code::TransactionalIdAuthorizationFailed), "app-experience-0-0"),
            (KafkaError::MessageProduction(Code::UnsupportedFeature), "3.7"),
        ];
        for (error, named) in cases {
            let text = advice(&error, &options()).expect("there is advice");
            assert!(text.contains(named), "{text}");
        }
        assert_eq!(advice(&KafkaError::MessageConsumption(Code::BadMessage), &options()), None);
    }
}
