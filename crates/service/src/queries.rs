//! Queries over committed state, for the HTTP interface.

use std::sync::Arc;
use std::time::Duration;

use serde_json::value::RawValue;
use throughline_api::{Answer, CustomerBody, CustomersBody, Health, Probe, Queries, Reflects, Status};
use throughline_codec::record::Encoding;
use throughline_experience::{Customer, Rules};
use throughline_kafka::driver::Control;
use throughline_model::murmur2::partition_of;
use throughline_model::{CustomerId, EventTime, IdHasher, IdentifierType, Now, Partition, Purpose, Score};
use throughline_pipeline::publish::{self, Deployment};
use throughline_pipeline::table;
use throughline_view::{AlertCursor, AlertQuery, CustomerQuery, Page};

use crate::observer::now_millis;
use crate::table::Views;

/// What the interface can see of this process.
pub struct Committed {
    /// Committed state.
    pub views: Arc<Views>,
    /// The model.
    pub rules: Arc<Rules>,
    /// What records start with.
    pub deployment: Deployment,
    /// Makes identifier hashes.
    pub ids: IdHasher,
    /// Whether the single view is an output.
    pub single_view: bool,
    /// The workers, with stage and number.
    pub workers: Vec<(u32, Arc<Control>)>,
    /// Facts of the process for the status.
    pub about: About,
}

/// Facts of the process for the status.
#[derive(Debug, Clone)]
pub struct About {
    /// Application id.
    pub application: String,
    /// Name of this instance.
    pub instance: String,
    /// When it started, RFC 3339.
    pub started_at: String,
    /// Calling code of telephone numbers without one, for look-ups.
    pub calling_code: String,
}

/// How long to wait before asking again for a partition that is not served yet.
const RETRY_AFTER: Duration = Duration::from_secs(2);

impl Committed {
    fn reflects(&self, id: CustomerId) -> Option<Reflects> {
        let partition = partition_of(id.hex().as_bytes(), self.views.partitions);
        let next = self.views.customers.reflected(Partition(partition))?;
        Some(Reflects { partition, offset: next.0 })
    }

    /// The time a read speaks for: the one asked for, else now; never before the state.
    fn read_at(customer: &Customer, at: Option<EventTime>) -> EventTime {
        at.unwrap_or(EventTime::from_millis(now_millis())).max(customer.as_of())
    }

    fn score_json(&self, customer: &Customer, at: EventTime) -> Result<Box<RawValue>, String> {
        let view = customer.score(&self.rules, at);
        let mut out = Vec::with_capacity(1_024);
        let version = customer.core.published.scores_version;
        publish::score(
            &self.deployment,
            customer.node(),
            &view,
            version,
            Now::from_millis(now_millis()),
            Encoding::Json,
            &mut out,
        );
        raw(out)
    }

    fn view_json(&self, customer: &Customer, at: EventTime) -> Result<Option<Box<RawValue>>, String> {
        if !self.single_view {
            return Ok(None);
        }
        let published = &customer.core.published;
        let mut out = Vec::with_capacity(2_048);
        publish::customer(
            &self.deployment,
            &customer.view(&self.rules, at),
            published.customers_version,
            published.scores_version,
            Now::from_millis(now_millis()),
            Encoding::Json,
            &mut out,
        );
        raw(out).map(Some)
    }

    fn body(&self, id: CustomerId, bytes: &[u8], at: Option<EventTime>) -> Result<Option<CustomerBody>, String> {
        let customer = table::read(id, bytes).map_err(|error| error.to_string())?;
        let at = Self::read_at(&customer, at);
        // What no output may say, no query may say either.
        if !customer.allows(Purpose::Service, at, &self.rules) {
            return Ok(None);
        }
        let Some(reflects) = self.reflects(id) else { return Ok(None) };
        Ok(Some(CustomerBody {
            customer_id: id.to_string(),
            scores: self.score_json(&customer, at)?,
            customer: self.view_json(&customer, at)?,
            reflects,
        }))
    }
}

fn raw(json: Vec<u8>) -> Result<Box<RawValue>, String> {
    let text = String::from_utf8(json).map_err(|error| error.to_string())?;
    RawValue::from_string(text).map_err(|error| error.to_string())
}

impl Queries for Committed {
    fn customer(&self, id: CustomerId, at: Option<EventTime>) -> Answer<CustomerBody> {
        if self.reflects(id).is_none() {
            return Answer::Restoring { retry_after: RETRY_AFTER };
        }
        let Some(bytes) = self.views.customers.get(&id) else { return Answer::NotFound };
        match self.body(id, &bytes, at) {
            Ok(Some(body)) => Answer::Found(body),
            Ok(None) => Answer::NotFound,
            Err(cause) => Answer::Failed { cause },
        }
    }

    fn find(&self, kind: IdentifierType, value: &str, at: Option<EventTime>) -> Answer<CustomerBody> {
        match throughline_normalize::identifiers::normalize(kind, value, &self.about.calling_code) {
            Some(value) => self.customer(self.ids.node(kind, &value), at),
            None => Answer::NotFound,
        }
    }

    fn customers(&self, query: CustomerQuery) -> Answer<CustomersBody> {
        let now = EventTime::from_millis(now_millis());
        let page = self.views.customers.lowest(query, |node, bytes| {
            let customer = table::read(*node, bytes).ok()?;
            let at = now.max(customer.as_of());
            customer
                .allows(Purpose::Service, at, &self.rules)
                .then(|| Score::clamped(customer.relationship(&self.rules, at)))
        });
        let mut items = Vec::with_capacity(page.items.len());
        for node in page.items {
            let Some(bytes) = self.views.customers.get(&node) else { continue };
            let read = table::read(node, &bytes).map_err(|error| error.to_string());
            match read.and_then(|customer| self.score_json(&customer, now.max(customer.as_of()))) {
                Ok(json) => items.push(json),
                Err(cause) => return Answer::Failed { cause },
            }
        }
        let reflects = self
            .views
            .customers
            .reflected_all()
            .into_iter()
            .map(|(partition, next)| Reflects { partition: partition.0, offset: next.0 })
            .collect();
        Answer::Found(CustomersBody { page: Page { items, next: page.next }, reflects })
    }

    fn alerts(&self, query: AlertQuery) -> Answer<Page<Box<RawValue>, AlertCursor>> {
        let page = self.views.alerts.page(query);
        let mut items = Vec::with_capacity(page.items.len());
        for record in page.items {
            match RawValue::from_string(record.to_string()) {
                Ok(json) => items.push(json),
                Err(error) => return Answer::Failed { cause: error.to_string() },
            }
        }
        Answer::Found(Page { items, next: page.next })
    }

    fn status(&self) -> Status {
        let statuses: Vec<_> = self.workers.iter().map(|(number, control)| (*number, control.status())).collect();
        let (workers, notes) = crate::status::told(&statuses, now_millis());
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            application: self.about.application.clone(),
            tenant: self.deployment.tenant.clone(),
            instance: self.about.instance.clone(),
            model_version: self.deployment.model_version.clone(),
            started_at: self.about.started_at.clone(),
            ready: self.ready() == Probe::Passed,
            customers: self.views.customers.len() as u64,
            alerts_open: self.views.alerts.len() as u64,
            workers,
            notes,
        }
    }
}

impl Health for Committed {
    fn live(&self) -> Probe {
        Probe::Passed
    }

    fn ready(&self) -> Probe {
        let mut restoring = 0;
        for (_, control) in &self.workers {
            let status = control.status();
            if !status.joined {
                return Probe::Failed(format!("{} has not joined its group yet", status.name));
            }
            restoring += status.tasks.iter().filter(|task| task.restoring).count();
        }
        if restoring > 0 { Probe::Failed(format!("restoring {restoring} partitions")) } else { Probe::Passed }
    }
}
