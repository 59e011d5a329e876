//! Domain values to published records. One file a topic; nothing here decides, it only names.

mod alert;
mod customer;
mod score;
mod touchpoint;

pub use alert::{Addressed, alert, open_alert_json};
pub use customer::customer;
pub use score::score;
pub use touchpoint::touchpoint;

use throughline_model::OwnerKind;
use throughline_model::touchpoint::Text;

use crate::options::StaffOutput;
use crate::records::{Common, Owners, Refs};

/// What every record of a deployment starts with.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Tenant.
    pub tenant: String,
    /// `name@fold.read`.
    pub model_version: String,
    /// Numbers of two models are mixed.
    pub mixed: bool,
    /// Staff in outputs.
    pub staff: StaffOutput,
    /// Makes hashes of staff.
    pub ids: throughline_model::IdHasher,
}

impl Deployment {
    fn common(&self, as_of: throughline_model::EventTime, now: throughline_model::Now) -> Common<'_> {
        Common { tenant: &self.tenant, as_of, emitted_at: now, model_version: &self.model_version, mixed: self.mixed }
    }

    /// Staff as outputs may show it.
    fn staff(&self, plain: &str) -> String {
        match self.staff {
            _ if plain.is_empty() => String::new(),
            StaffOutput::Off => String::new(),
            StaffOutput::Hashed => self.ids.hash("staff", &[plain.as_bytes()]).to_string(),
            StaffOutput::Plain => plain.to_owned(),
        }
    }

    /// `kind:id` of an operational owner; a person is shown as the staff switch says, or as nobody in particular.
    fn owner(&self, owner: &str) -> String {
        match owner.strip_prefix("staff:") {
            Some(staff) => match self.staff(staff) {
                hidden if hidden.is_empty() => "brand".to_owned(),
                shown => format!("staff:{shown}"),
            },
            None => owner.to_owned(),
        }
    }
}

fn refs<'a, I>(list: I) -> Option<Refs<'a>>
where
    I: IntoIterator<Item = (throughline_model::RefKind, &'a str)>,
{
    use throughline_model::RefKind as Kind;
    let mut refs = Refs::default();
    let mut any = false;
    for (kind, value) in list {
        any = true;
        *match kind {
            Kind::Case => &mut refs.case_id,
            Kind::Order => &mut refs.order_id,
            Kind::Item => &mut refs.item_id,
            Kind::Booking => &mut refs.booking_id,
            Kind::Reservation => &mut refs.reservation_id,
            Kind::Return => &mut refs.return_id,
            Kind::Account => &mut refs.account_id,
            Kind::Contract => &mut refs.contract_id,
            Kind::Campaign => &mut refs.campaign_id,
            Kind::Visit => &mut refs.visit_id,
            Kind::Session => &mut refs.session_id,
            Kind::Conversation => &mut refs.conversation_id,
            Kind::Post => &mut refs.post_id,
            Kind::Parent => &mut refs.parent_id,
            Kind::Survey => &mut refs.survey_id,
            Kind::Response => &mut refs.response_id,
            Kind::Idea => &mut refs.idea_id,
        } = value;
    }
    any.then_some(refs)
}

fn owners<'a, I>(list: I, staff: &'a str) -> Option<Owners<'a>>
where
    I: IntoIterator<Item = (OwnerKind, &'a str)>,
{
    let mut owners = Owners::default();
    let mut any = false;
    for (kind, value) in list {
        any = true;
        *match kind {
            OwnerKind::Partner => &mut owners.partner,
            OwnerKind::Store => &mut owners.store,
            OwnerKind::Team => &mut owners.team,
            OwnerKind::Staff => &mut owners.staff,
            OwnerKind::Process => &mut owners.process,
            OwnerKind::Provider => &mut owners.provider,
            OwnerKind::Policy => &mut owners.policy,
        } = if kind == OwnerKind::Staff { staff } else { value };
    }
    any.then_some(owners)
}

fn text<'t>(list: &'t [(OwnerKind, Text<'_>)], kind: OwnerKind) -> &'t str {
    list.iter().find(|(found, _)| *found == kind).map_or("", |(_, value)| value.as_ref())
}
