//! Calls of the start that outlast a broker which is being replaced.

use std::time::Duration;

use backon::{BlockingRetryable, ExponentialBuilder};
use rdkafka::error::KafkaError;
use throughline_kafka::classify::{Reaction, classify};

/// Makes a call of the start again while brokers change: a leader that is being replaced is no reason to end. A call waits for
/// brokers for 5 s to 10 s itself.
pub(crate) fn patiently<T>(call: impl FnMut() -> Result<T, KafkaError>) -> Result<T, KafkaError> {
    let times = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(2))
        .with_max_times(5);
    call.retry(times).when(|error| classify(error) != Reaction::Stop).notify(wait).call()
}

fn wait(error: &KafkaError, pause: Duration) {
    tracing::warn!(%error, pause_seconds = pause.as_secs_f64(), "waiting for kafka");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_the_start_outlast_a_broker_that_changes_and_no_refusal() {
        use rdkafka::types::RDKafkaErrorCode as Code;
        let told = |fails: u32, code| {
            let mut calls = 0;
            let result = patiently(|| {
                calls += 1;
                if calls > fails { Ok(()) } else { Err(KafkaError::MessageProduction(code)) }
            });
            (result.is_ok(), calls)
        };
        assert_eq!(told(1, Code::MessageTimedOut), (true, 2));
        assert_eq!(told(1, Code::TopicAuthorizationFailed), (false, 1));
    }
}
