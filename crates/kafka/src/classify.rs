//! One function that names every librdkafka error by the reaction to it.

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

/// What to do about a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// The same call again, after a bounded back-off.
    Retry,
    /// Abort the transaction, go back to the committed positions, go on.
    Abort,
    /// The same, and look for the record whose content the broker refuses.
    AbortContent,
    /// Drop everything and join again.
    Rejoin,
    /// Nobody knows whether it committed: replace the producer and read.
    Ask,
    /// Stop: nobody has met this error.
    Stop,
}

/// Flags that librdkafka attaches to an error of a transactional call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags {
    /// The producer can do nothing more.
    pub fatal: bool,
    /// The call may be repeated.
    pub retriable: bool,
    /// The transaction must be aborted.
    pub requires_abort: bool,
}

/// The reaction to an error.
#[must_use]
pub fn classify(error: &KafkaError) -> Reaction {
    let flags = match error {
        KafkaError::Transaction(error) => Flags {
            fatal: error.is_fatal(),
            retriable: error.is_retriable(),
            requires_abort: error.txn_requires_abort(),
        },
        KafkaError::MessageConsumptionFatal(_) => Flags { fatal: true, ..Flags::default() },
        _ => Flags::default(),
    };
    error.rdkafka_error_code().map_or(Reaction::Stop, |code| reaction(code, flags))
}

/// The reaction to an error code with its flags.
#[must_use]
pub fn reaction(code: RDKafkaErrorCode, flags: Flags) -> Reaction {
    use RDKafkaErrorCode as Code;
    match code {
        // Another producer with our id: what is held here is not ours any more.
        Code::Fenced | Code::ProducerFenced | Code::InvalidProducerEpoch => Reaction::Rejoin,
        // Another generation of the group, or a newer member under our static id, which may be our own consumer that has just
        // joined again: nothing can be committed, and the consumer will say what became of its partitions.
        Code::FencedInstanceId
        | Code::IllegalGeneration
        | Code::UnknownMemberId
        | Code::PollExceeded
        | Code::AssignmentLost
        | Code::StaleMemberEpoch
        | Code::FencedMemberEpoch => Reaction::Abort,
        // The content of a record.
        Code::MessageSizeTooLarge
        | Code::InvalidMessage
        | Code::InvalidMessageSize
        | Code::InvalidRecord
        | Code::MessageBatchTooLarge => Reaction::AbortContent,
        _ if flags.fatal => Reaction::Ask,
        _ if flags.requires_abort => Reaction::Abort,
        _ if flags.retriable => Reaction::Retry,
        // What a broker or the network can do at any time.
        Code::BrokerTransportFailure
        // A broker that is gone from the metadata takes the requests that waited for it with it.
        | Code::DestroyBroker
        | Code::AllBrokersDown
        | Code::Resolve
        | Code::OperationTimedOut
        | Code::RequestTimedOut
        | Code::MessageTimedOut
        | Code::TimedOutQueue
        | Code::NetworkException
        | Code::LeaderNotAvailable
        | Code::NotLeaderForPartition
        | Code::CoordinatorLoadInProgress
        | Code::CoordinatorNotAvailable
        | Code::NotCoordinator
        | Code::NotEnoughReplicas
        | Code::NotEnoughReplicasAfterAppend
        | Code::ConcurrentTransactions
        | Code::RebalanceInProgress
        | Code::WaitingForCoordinator
        | Code::UnknownTopicOrPartition
        | Code::UnknownTopic
        | Code::UnknownPartition
        | Code::FencedLeaderEpoch
        | Code::UnknownLeaderEpoch
        | Code::OffsetNotAvailable
        | Code::UnstableOffsetCommit
        | Code::ReplicaNotAvailable
        | Code::QueueFull
        | Code::Retry
        | Code::InProgress
        | Code::State
        | Code::Conflict
        | Code::PreviousInProgress => Reaction::Retry,
        // Delivery of a record that was purged by an abort or failed with its siblings.
        Code::PurgeQueue | Code::PurgeInflight | Code::OutOfOrderSequenceNumber | Code::UnknownProducerId => {
            Reaction::Abort
        }
        Code::InvalidProducerIdMapping | Code::InvalidTransactionalState => Reaction::Ask,
        _ => Reaction::Stop,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use RDKafkaErrorCode as Code;

    #[test]
    fn every_error_met_so_far_has_its_reaction() {
        let none = Flags::default();
        let fatal = Flags { fatal: true, ..none };
        let abort = Flags { requires_abort: true, ..none };
        let retriable = Flags { retriable: true, ..none };
        let table = [
            (Code::Fenced, fatal, Reaction::Rejoin),
            (Code::InvalidProducerEpoch, fatal, Reaction::Rejoin),
            (Code::IllegalGeneration, abort, Reaction::Abort),
            (Code::UnknownMemberId, abort, Reaction::Abort),
            (Code::FencedInstanceId, abort, Reaction::Abort),
            // Told by a poll, so without flags: the notice that partitions are lost follows.
            (Code::PollExceeded, none, Reaction::Abort),
            (Code::MessageSizeTooLarge, none, Reaction::AbortContent),
            (Code::InvalidRecord, abort, Reaction::AbortContent),
            (Code::OutOfOrderSequenceNumber, fatal, Reaction::Ask),
            (Code::InvalidProducerIdMapping, fatal, Reaction::Ask),
            (Code::UnknownProducerId, abort, Reaction::Abort),
            (Code::MessageTimedOut, abort, Reaction::Abort),
            (Code::CoordinatorLoadInProgress, retriable, Reaction::Retry),
            (Code::BrokerTransportFailure, none, Reaction::Retry),
            (Code::DestroyBroker, none, Reaction::Retry),
            (Code::NotEnoughReplicas, none, Reaction::Retry),
            (Code::PurgeQueue, none, Reaction::Abort),
            (Code::TopicAuthorizationFailed, none, Reaction::Stop),
            (Code::UnsupportedVersion, none, Reaction::Stop),
        ];
        for (code, flags, expected) in table {
            assert_eq!(reaction(code, flags), expected, "{code:?} {flags:?}");
        }
    }
}
