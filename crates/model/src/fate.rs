//! What becomes of a touchpoint: the six fates, and why a record is rejected or withheld.

use std::borrow::Cow;

use crate::closed_set;

closed_set! {
    /// Closed reasons of a dead letter.
    pub enum RejectionReason {
        /// Not JSON, not the declared schema's bytes, invalid UTF-8, torn frame, comments or trailing text.
        Undecodable = "undecodable",
        /// The registry answers that it has no such id, or the schema is not one of ours.
        UnknownSchema = "unknown_schema",
        /// No format configured for the topic matches the shape.
        UnknownFormat = "unknown_format",
        /// A required field is absent.
        MissingField = "missing_field",
        /// NaN, infinity, out of range, wrong type.
        InvalidField = "invalid_field",
        /// Null on a touchpoint topic.
        NullValue = "null_value",
        /// Over 1 MiB of text or 10 MiB of value.
        TooLarge = "too_large",
        /// Nested deeper than 64.
        TooDeep = "too_deep",
        /// Over 1,000 entries.
        TooManyEntries = "too_many_entries",
        /// Another tenant named.
        WrongTenant = "wrong_tenant",
        /// Local time, no zone in the record or the catalog.
        TimeZoneUnknown = "time_zone_unknown",
        /// Due before made, unknown kind or sense, due over 10 years ahead.
        InvalidPromise = "invalid_promise",
        /// A command that cannot be decoded or routed.
        InvalidCommand = "invalid_command",
        /// A command for an alert nobody knows.
        UnknownAlert = "unknown_alert",
        /// A command for an alert that is closed.
        ClosedAlert = "closed_alert",
        /// A command for another sequence number.
        StaleCommand = "stale_command",
        /// A command for a customer nobody knows.
        UnknownCustomer = "unknown_customer",
        /// The broker refused a produced record because of its content.
        OutputRejected = "output_rejected",
    }
}

impl RejectionReason {
    /// The code that `throughline explain` takes.
    #[must_use]
    pub fn explain_code(self) -> String {
        format!("TL-R{:02}", self.code() + 1)
    }
}

/// Bad input as a value: a closed reason, a detail for people, the path of the field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Closed reason.
    pub reason: RejectionReason,
    /// What exactly is wrong; a lowercase fragment, at most 1,000 characters once written.
    pub detail: Cow<'static, str>,
    /// Path of the field, empty if the whole entry is meant.
    pub field: Cow<'static, str>,
}

impl Rejection {
    /// A rejection of the whole entry.
    pub fn new(reason: RejectionReason, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, detail: detail.into(), field: Cow::Borrowed("") }
    }

    /// A rejection because of one field.
    pub fn field(
        reason: RejectionReason,
        field: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { reason, detail: detail.into(), field: field.into() }
    }
}

closed_set! {
    /// Why a touchpoint is withheld on purpose.
    pub enum WithheldReason {
        /// The customer denied processing.
        Consent = "consent",
        /// At or before an erasure.
        Erased = "erased",
        /// No row in the deployment's map for this name.
        Unmapped = "unmapped",
        /// A known shape that carries no touchpoint.
        Filtered = "filtered",
    }
}

closed_set! {
    /// Why a touchpoint is late.
    pub enum LateReason {
        /// Event time further than `max_age` before the received time.
        MaxAge = "max_age",
        /// A revision whose predecessor is no longer remembered.
        RevisionExpired = "revision_expired",
    }
}

/// What became of a touchpoint in the experience stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// State moved, or its revision replaced or retracted an earlier one.
    Applied,
    /// A copy already counted.
    Duplicate,
    /// Too late to count.
    Late(LateReason),
    /// On purpose.
    Withheld(WithheldReason),
    /// Bad input.
    Rejected(RejectionReason),
    /// Went on to the customer's partition.
    Forwarded,
}

/// The books of a batch: every touchpoint has exactly one fate (XO-5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FateCounts {
    /// Touchpoints that moved state.
    pub applied: u64,
    /// Copies.
    pub duplicate: u64,
    /// Too late, by [`LateReason`].
    pub late: [u64; 2],
    /// Withheld, by [`WithheldReason`].
    pub withheld: [u64; 4],
    /// Rejected, by [`RejectionReason`].
    pub rejected: [u64; 18],
    /// Sent on.
    pub forwarded: u64,
}

impl FateCounts {
    /// Counts one touchpoint.
    pub fn add(&mut self, fate: Fate) {
        match fate {
            Fate::Applied => self.applied += 1,
            Fate::Duplicate => self.duplicate += 1,
            Fate::Late(reason) => self.late[usize::from(reason.code())] += 1,
            Fate::Withheld(reason) => self.withheld[usize::from(reason.code())] += 1,
            Fate::Rejected(reason) => self.rejected[usize::from(reason.code())] += 1,
            Fate::Forwarded => self.forwarded += 1,
        }
    }

    /// Everything counted.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.applied
            + self.duplicate
            + self.late.iter().sum::<u64>()
            + self.withheld.iter().sum::<u64>()
            + self.rejected.iter().sum::<u64>()
            + self.forwarded
    }
}

const _: () = {
    assert!(LateReason::ALL.len() == 2);
    assert!(WithheldReason::ALL.len() == 4);
    assert!(RejectionReason::ALL.len() == 18);
};
