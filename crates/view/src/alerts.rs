//! The alerts that are not closed, as published.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use dashmap::DashMap;
use rustc_hash::FxBuildHasher;
use throughline_model::alert::{AlertSeverity, AlertState, AlertType};
use throughline_model::{AlertId, Now, Partition};

use crate::page::{InvalidCursor, Page, PageLimit, Smallest};

/// An alert that is not closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAlert {
    /// Partition of its subject's inbox: the alert leaves with it.
    pub partition: Partition,
    /// Its type.
    pub alert_type: AlertType,
    /// Its severity.
    pub severity: AlertSeverity,
    /// Its state.
    pub state: AlertState,
    /// When someone must have acted.
    pub due_at: Option<Now>,
    /// The published record as JSON.
    pub record: Arc<str>,
}

/// Open alerts of this process, updated at commit. Alerts are few compared with customers, so a page scans them.
#[derive(Debug, Default)]
pub struct OpenAlerts {
    alerts: DashMap<AlertId, OpenAlert, FxBuildHasher>,
}

/// Which alerts to list: by severity, then `due_at`. Tier, value and reach are not sort keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AlertQuery {
    /// Only this state.
    pub state: Option<AlertState>,
    /// Only this severity.
    pub severity: Option<AlertSeverity>,
    /// Only this type.
    pub alert_type: Option<AlertType>,
    /// Entries at most.
    pub limit: PageLimit,
    /// Go on after this position.
    pub after: Option<AlertCursor>,
}

/// Position in the order of alerts: severity, `due_at` (without one last), alert id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlertCursor {
    severity: AlertSeverity,
    due_millis: i64,
    alert: AlertId,
}

impl OpenAlerts {
    /// No alerts.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The latest transition of an alert. A closed one is forgotten.
    pub fn put(&self, id: AlertId, alert: OpenAlert) {
        if alert.state == AlertState::Closed {
            self.alerts.remove(&id);
        } else {
            self.alerts.insert(id, alert);
        }
    }

    /// Forgets an alert.
    pub fn remove(&self, id: &AlertId) {
        self.alerts.remove(id);
    }

    /// Forgets the alerts of a partition that is no longer owned.
    pub fn forget_partition(&self, partition: Partition) {
        self.alerts.retain(|_, alert| alert.partition != partition);
    }

    /// Number of alerts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.alerts.len()
    }

    /// Whether there is no alert.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.alerts.is_empty()
    }

    /// Alerts by type, severity and state, for the gauge.
    #[must_use]
    pub fn counts(&self) -> Vec<(AlertType, AlertSeverity, AlertState, u64)> {
        let mut counts = std::collections::BTreeMap::new();
        for alert in &self.alerts {
            *counts.entry((alert.alert_type, alert.severity, alert.state)).or_insert(0) += 1;
        }
        counts.into_iter().map(|((kind, severity, state), count)| (kind, severity, state, count)).collect()
    }

    /// A page of published records by severity, then `due_at`.
    #[must_use]
    pub fn page(&self, query: AlertQuery) -> Page<Arc<str>, AlertCursor> {
        let mut smallest = Smallest::new(query.limit);
        for entry in &self.alerts {
            let position = AlertCursor::new(*entry.key(), &entry);
            if query.covers(&entry) && query.after.is_none_or(|after| position > after) {
                smallest.offer(position);
            }
        }
        let page = smallest.finish();
        // An alert that closes between the scan and this line is left out: the page gets shorter, never wrong.
        let record = |at: AlertCursor| self.alerts.get(&at.alert).map(|alert| Arc::clone(&alert.record));
        Page { items: page.items.into_iter().filter_map(record).collect(), next: page.next }
    }
}

impl AlertQuery {
    fn covers(&self, alert: &OpenAlert) -> bool {
        self.state.is_none_or(|state| state == alert.state)
            && self.severity.is_none_or(|severity| severity == alert.severity)
            && self.alert_type.is_none_or(|kind| kind == alert.alert_type)
    }
}

impl AlertCursor {
    fn new(id: AlertId, alert: &OpenAlert) -> Self {
        let due_millis = alert.due_at.map_or(i64::MAX, Now::as_millis);
        Self { severity: alert.severity, due_millis, alert: id }
    }
}

impl fmt::Display for AlertCursor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{:x}-{}", self.severity.code(), self.due_millis, self.alert)
    }
}

impl FromStr for AlertCursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let mut parts = text.splitn(3, '-');
        let mut part = || parts.next().ok_or(InvalidCursor);
        let severity = part()?.parse().ok().and_then(AlertSeverity::from_code).ok_or(InvalidCursor)?;
        // Written as the bits of the number, so that one before 1970 has no sign.
        let due_millis = u64::from_str_radix(part()?, 16).map_err(|_| InvalidCursor)?.cast_signed();
        let alert = AlertId::from_hex(part()?).ok_or(InvalidCursor)?;
        Ok(Self { severity, due_millis, alert })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use throughline_model::Hash128;

    fn alert(name: &str, severity: AlertSeverity, state: AlertState, due: Option<i64>) -> OpenAlert {
        OpenAlert {
            partition: Partition(i32::from(severity.code())),
            alert_type: AlertType::ExperienceLow,
            severity,
            state,
            due_at: due.map(Now::from_millis),
            record: Arc::from(name),
        }
    }

    fn alerts() -> OpenAlerts {
        let alerts = OpenAlerts::new();
        for (at, (name, severity, state, due)) in [
            ("today, no time", AlertSeverity::P2, AlertState::Open, None),
            ("today, late", AlertSeverity::P2, AlertState::Acknowledged, Some(900)),
            ("now, soon", AlertSeverity::P1, AlertState::Open, Some(1_000)),
            ("today, before 1970", AlertSeverity::P2, AlertState::Open, Some(-5)),
            ("week", AlertSeverity::P3, AlertState::Open, Some(1)),
        ]
        .into_iter()
        .enumerate()
        {
            let id = Hash128([u8::try_from(at).expect("few"); 16]);
            alerts.put(id, alert(name, severity, state, due));
        }
        alerts
    }

    fn walk(alerts: &OpenAlerts, mut query: AlertQuery) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            let page = alerts.page(query);
            seen.extend(page.items.iter().map(ToString::to_string));
            let Some(next) = page.next else { return seen };
            query.after = Some(next.to_string().parse().expect("own cursor"));
        }
    }

    #[test]
    fn severity_comes_first_then_the_due_time() {
        for limit in 1..=6 {
            let limit = PageLimit::new(limit).expect("in range");
            assert_eq!(
                walk(&alerts(), AlertQuery { limit, ..AlertQuery::default() }),
                ["now, soon", "today, before 1970", "today, late", "today, no time", "week"]
            );
        }
    }

    #[test]
    fn filters_hold_and_counts_add_up() {
        let alerts = alerts();
        let query =
            AlertQuery { severity: Some(AlertSeverity::P2), state: Some(AlertState::Open), ..AlertQuery::default() };
        assert_eq!(walk(&alerts, query), ["today, before 1970", "today, no time"]);
        assert_eq!(alerts.counts().iter().map(|(.., count)| count).sum::<u64>(), 5);
    }

    #[test]
    fn closed_alerts_and_lost_partitions_leave() {
        let alerts = alerts();
        alerts.put(Hash128([4; 16]), alert("week", AlertSeverity::P3, AlertState::Closed, None));
        assert_eq!(alerts.len(), 4);
        alerts.forget_partition(Partition(1));
        assert_eq!(walk(&alerts, AlertQuery::default()), ["now, soon"]);
        alerts.remove(&Hash128([2; 16]));
        assert!(alerts.is_empty());
    }

    #[test]
    fn strange_cursors_are_refused() {
        for text in ["", "0", "0-1", "9-1-00", "0-x-00000000000000000000000000000000", "0-1-2-3"] {
            assert_eq!(text.parse::<AlertCursor>(), Err(InvalidCursor), "{text}");
        }
    }
}
