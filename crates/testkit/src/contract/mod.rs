//! What this program relies on in a log, as named properties. The same list runs against the simulated cluster and against
//! a real Kafka broker, so that the simulation stays honest.
//!
//! A property takes a fresh [`Log`] and panics where it does not hold. [`each_property`] names them all.

mod fake;
pub mod properties;

pub use fake::FakeKafka;
pub use properties::each_property;

/// Who sees what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// Up to the last stable offset, without what was aborted.
    Committed,
    /// Everything.
    Uncommitted,
}

/// A record as a reader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Offset.
    pub offset: i64,
    /// Key.
    pub key: String,
    /// Value; none is a deletion.
    pub value: Option<String>,
}

/// Why a call was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Another producer has this transactional id, or its transaction was given up.
    Fenced,
    /// The group does not know this member in this generation.
    StaleMember,
    /// Another process is this static member.
    SupersededMember,
    /// Something else.
    Other(String),
}

/// The committed offset of a group's partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Offset {
    /// There is none.
    Absent,
    /// Where to resume, and the metadata.
    At(i64, String),
    /// A transaction that would move it is not settled.
    Unstable,
}

/// The operations of a log that this program uses. Topics have two partitions, of which the first is written.
pub trait Log {
    /// A registered transactional producer.
    type Producer;
    /// A member of a group.
    type Member;
    /// What a member presents when it sends offsets, as it was when it was asked for.
    type Credentials;

    /// Creates a topic and returns its full name. One that compacts does so as soon as it may.
    fn create(&mut self, name: &str, compacts: bool) -> String;
    /// Registers a producer whose transactions are given up after so many milliseconds.
    fn register(&mut self, id: &str, timeout: u32) -> Self::Producer;
    /// Begins a transaction.
    fn begin(&mut self, producer: &mut Self::Producer);
    /// Writes a record in the transaction and waits for its acknowledgement.
    fn send(&mut self, producer: &mut Self::Producer, topic: &str, key: &str, value: Option<&str>);
    /// Sends an offset of the first partition in the transaction.
    ///
    /// # Errors
    /// As the coordinators say.
    fn send_offset(
        &mut self,
        producer: &mut Self::Producer,
        credentials: &Self::Credentials,
        topic: &str,
        next: i64,
        metadata: &str,
    ) -> Result<(), Refused>;
    /// Commits.
    ///
    /// # Errors
    /// As the coordinator says.
    fn commit(&mut self, producer: &mut Self::Producer) -> Result<(), Refused>;
    /// Aborts.
    ///
    /// # Errors
    /// As the coordinator says.
    fn abort(&mut self, producer: &mut Self::Producer) -> Result<(), Refused>;
    /// Everything that a reader sees in the first partition now, from its start.
    fn read(&mut self, topic: &str, reader: Reader) -> Vec<Seen>;
    /// First offset, and the one at which a reader stops for now.
    fn watermarks(&mut self, topic: &str, reader: Reader) -> (i64, i64);
    /// Deletes the records of the first partition before an offset.
    fn delete_before(&mut self, topic: &str, offset: i64);
    /// The committed offset of the first partition.
    fn committed(&mut self, group: &str, topic: &str) -> Offset;
    /// Joins a group as a static member and waits until it was given a partition.
    fn join(&mut self, group: &str, topic: &str, instance: &str) -> Self::Member;
    /// What a member presents from now on, or for as long as that is accepted.
    fn credentials(&mut self, member: &Self::Member) -> Self::Credentials;
    /// What somebody presents who never joined the group.
    fn outsider(&mut self, group: &str) -> Self::Credentials;
    /// The process of a member ends without a word.
    fn kill(&mut self, member: Self::Member);
    /// Lets a moment pass.
    fn pass(&mut self);
    /// How many moments may pass until something that is going to happen has happened.
    fn patience(&self) -> u32;
}
