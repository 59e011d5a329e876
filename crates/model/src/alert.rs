//! The words of an alert: types, severities, states, transitions and their reasons.

use crate::closed_set;

closed_set! {
    /// Alert types that exist. A later version appends the others of the catalog.
    pub enum AlertType {
        /// A severe touchpoint.
        SevereMoment = "severe_moment",
        /// A need that cannot wait.
        UrgentNeed = "urgent_need",
        /// The customer says that they leave.
        ExitIntent = "exit_intent",
        /// Relationship score under its threshold.
        ExperienceLow = "experience_low",
        /// Far under the customer's own baseline.
        ExperienceDrop = "experience_drop",
    }
}

closed_set! {
    /// How bad: act now, today, this week; `ops` for operators.
    pub enum AlertSeverity {
        /// Act now.
        P1 = "P1",
        /// Today.
        P2 = "P2",
        /// This week.
        P3 = "P3",
        /// For operators.
        Ops = "ops",
    }
}

closed_set! {
    /// State of an alert as published.
    pub enum AlertState {
        /// Nobody has it.
        Open = "open",
        /// Somebody has it.
        Acknowledged = "acknowledged",
        /// Quiet until a time.
        Snoozed = "snoozed",
        /// Recovered or settled.
        Resolved = "resolved",
        /// Ended without evidence of recovery.
        Expired = "expired",
        /// Its cause was taken back.
        Retracted = "retracted",
        /// Would have opened.
        Suppressed = "suppressed",
        /// Final.
        Closed = "closed",
    }
}

closed_set! {
    /// What happened to an alert.
    pub enum Transition {
        /// Opened.
        Opened = "opened",
        /// A number in it moved.
        Updated = "updated",
        /// Acknowledged.
        Acknowledged = "acknowledged",
        /// Assigned.
        Assigned = "assigned",
        /// Snoozed.
        Snoozed = "snoozed",
        /// Woken from a snooze.
        Woken = "woken",
        /// One level up.
        Escalated = "escalated",
        /// Resolved.
        Resolved = "resolved",
        /// Expired.
        Expired = "expired",
        /// Cause taken back.
        Retracted = "retracted",
        /// A person refused it.
        Rejected = "rejected",
        /// The condition is back.
        Reopened = "reopened",
        /// The customer's id changed.
        ReKeyed = "re_keyed",
        /// Would have opened.
        Suppressed = "suppressed",
        /// Final.
        Closed = "closed",
    }
}

closed_set! {
    /// Closed reasons of transitions.
    pub enum TransitionReason {
        /// The rule fired.
        Rule = "rule",
        /// The condition is back.
        ConditionBack = "condition_back",
        /// Its count rose.
        Count = "count",
        /// Its value moved.
        Value = "value",
        /// Another alert was attached.
        Related = "related",
        /// An entity alert has the same cause.
        Parent = "parent",
        /// Its outcome is known.
        Outcome = "outcome",
        /// Nobody acknowledged.
        NotAcknowledged = "not_acknowledged",
        /// Nobody resolved.
        NotResolved = "not_resolved",
        /// A recovery or a threshold crossed on evidence.
        Recovered = "recovered",
        /// Answered.
        Answered = "answered",
        /// Kept.
        Kept = "kept",
        /// Withdrawn.
        Withdrawn = "withdrawn",
        /// Won back.
        WonBack = "won_back",
        /// Lost.
        Lost = "lost",
        /// Need closed.
        NeedClosed = "need_closed",
        /// Window passed.
        WindowPassed = "window_passed",
        /// A command.
        Command = "command",
        /// Time.
        Time = "time",
        /// A correction took the cause back.
        Corrected = "corrected",
        /// The source removed the cause.
        Removed = "removed",
        /// Too soon after the last one.
        Cooldown = "cooldown",
        /// Snoozed.
        Snooze = "snooze",
        /// Consent.
        Consent = "consent",
        /// The cause is old news.
        Backfill = "backfill",
        /// During a rebuild.
        Rebuild = "rebuild",
        /// The rule only watches.
        Shadow = "shadow",
        /// Muted.
        Muted = "muted",
        /// Customers merged.
        Merged = "merged",
        /// Customers split.
        Split = "split",
        /// Settled.
        Settled = "settled",
        /// Merged into another alert.
        MergedInto = "merged_into",
        /// Became another alert.
        Became = "became",
        /// Customer erased.
        Erased = "erased",
        /// Too many alerts of one customer.
        Capped = "capped",
    }
}

closed_set! {
    /// Whether a rule is evaluated and published.
    pub enum RuleMode {
        /// Evaluated and published.
        On = "on",
        /// Evaluated and counted only.
        Shadow = "shadow",
        /// Not evaluated.
        Off = "off",
    }
}

closed_set! {
    /// Why an alert that could interrupt a person does not.
    pub enum PageBlocked {
        /// An entity alert of the same cause is open.
        Parent = "parent",
        /// Another alert of the customer was paged in the last ten minutes.
        Related = "related",
        /// The cause is over 24 h old by now.
        Stale = "stale",
        /// Over the budget of pages.
        Budget = "budget",
        /// Muted.
        Muted = "muted",
        /// The rule only watches.
        Shadow = "shadow",
        /// A drill.
        Test = "test",
        /// P3 and ops never interrupt.
        Severity = "severity",
    }
}
