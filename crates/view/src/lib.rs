//! Committed state for queries: what workers published at their last commit.
//!
//! **What it does.** Holds the encoded parts of every customer ([`CommittedView`]) and the published record of every open
//! alert ([`OpenAlerts`]), and answers pages over both in a stable order.
//!
//! **What it does not.** It does not decode a customer (the caller brings the function that reads a score), knows neither
//! Kafka nor HTTP, and keeps no index that a record would have to maintain: a page of customers is a scan on request.
//!
//! **Invariants.** `XO-4`: only a worker that has confirmed its commit writes here, so a reader never sees uncommitted
//! state. A customer's parts swap together. Pages have a limit, [`PageLimit`]; a cursor continues after the last entry seen
//! whatever was written in between.
//!
//! **Where to start.** [`CommittedView::lowest`], then [`OpenAlerts::page`].

mod alerts;
mod customers;
mod page;

pub use alerts::{AlertCursor, AlertQuery, OpenAlert, OpenAlerts};
pub use customers::{CommittedView, CustomerCursor, CustomerQuery};
pub use page::{InvalidCursor, Page, PageLimit};
