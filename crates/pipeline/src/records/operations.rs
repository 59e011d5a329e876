//! `throughline.audit` and `throughline.instances`.

use throughline_codec::record;
use throughline_codec::record::List;
use throughline_model::Now;

record! {
    /// A look-up of one customer, written before it is answered.
    pub struct AuditRecord<'a>: "Audit" {
        /// the look-up
        pub audit_id: &'a str,
        /// when
        pub occurred_at: Now,
        /// who
        pub actor: &'a str,
        /// role of the token
        pub role: &'a str,
        /// http, cli, console
        pub interface: &'a str,
        /// lookup, timeline, export, tap, dlq_show, explain_decision
        pub action: &'a str,
        /// about whom
        pub customer_id: &'a str,
        /// what for, as stated
        pub purpose: &'a str,
        /// found, not_found, denied
        pub result: &'a str,
        /// request
        pub request_id: &'a str,
    }
}

record! {
    /// Which instance serves a partition; key partition/<stage>/<n>. Always JSON, read by instances only.
    pub struct PartitionRecord<'a>: "PartitionOwner" {
        /// where it answers
        pub url: &'a str,
        /// generation of the group
        pub generation: i32,
        /// when it was assigned
        pub assigned_at: Now,
        /// restoring, serving
        pub state: &'a str,
    }
}

record! {
    /// A running instance; key instance/<id>. Always JSON, read by instances only.
    pub struct InstanceRecord<'a>: "Instance" {
        /// version of the program
        pub version: &'a str,
        /// newest format of state it reads
        pub state_format: i32,
        /// when it started
        pub started_at: Now,
        /// when it last said so
        pub seen_at: Now,
        /// stages it runs
        pub stages: List<'a, &'a str>,
    }
}
