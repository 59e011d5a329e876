//! What Shopify sends: one struct for every resource, because a record says what it is only by the fields it has.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};

use crate::json::{Flag, Many, Maybe, Obj, Str, Time};

/// Any resource, bare or as an envelope around one (`{"order": {...}}`) or several (`{"transactions": [...]}`).
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    pub id: Str<'a>,
    #[serde(borrow)]
    pub admin_graphql_api_id: Str<'a>,
    #[serde(borrow)]
    pub order_id: Str<'a>,
    #[serde(borrow)]
    pub created_at: Time<'a>,
    #[serde(borrow)]
    pub updated_at: Time<'a>,
    #[serde(borrow)]
    pub processed_at: Time<'a>,
    pub test: Flag,

    // An order.
    #[serde(borrow)]
    pub order_number: Str<'a>,
    #[serde(borrow)]
    pub total_price: Str<'a>,
    #[serde(borrow)]
    pub currency: Str<'a>,
    #[serde(borrow)]
    pub financial_status: Str<'a>,
    pub fulfillment_status: Present,
    #[serde(borrow)]
    pub cancelled_at: Time<'a>,
    #[serde(borrow)]
    pub cancel_reason: Str<'a>,
    #[serde(borrow)]
    pub source_name: Str<'a>,
    #[serde(borrow)]
    pub location_id: Str<'a>,
    #[serde(borrow)]
    pub user_id: Str<'a>,
    #[serde(borrow)]
    pub email: Str<'a>,
    #[serde(borrow)]
    pub contact_email: Str<'a>,
    #[serde(borrow)]
    pub phone: Str<'a>,
    #[serde(borrow)]
    pub customer_locale: Str<'a>,
    #[serde(borrow)]
    pub customer: Maybe<Customer<'a>>,
    #[serde(borrow)]
    pub line_items: List<LineItem<'a>>,
    #[serde(borrow)]
    pub shipping_address: Obj<Address<'a>>,
    #[serde(borrow)]
    pub refunds: List<Record<'a>>,
    #[serde(borrow)]
    pub transactions: List<Record<'a>>,
    #[serde(borrow)]
    pub fulfillments: List<Record<'a>>,

    // A refund.
    pub refund_line_items: Present,

    // A transaction.
    #[serde(borrow)]
    pub kind: Str<'a>,
    #[serde(borrow)]
    pub status: Str<'a>,
    #[serde(borrow)]
    pub amount: Str<'a>,
    pub gateway: Present,

    // A fulfillment, or a step of one.
    #[serde(borrow)]
    pub tracking_company: Named<'a>,
    pub tracking_number: Present,
    pub tracking_numbers: Present,
    #[serde(borrow)]
    pub shipment_status: Named<'a>,
    #[serde(borrow)]
    pub fulfillment_id: Str<'a>,
    #[serde(borrow)]
    pub happened_at: Time<'a>,

    // A checkout, a cart.
    pub abandoned_checkout_url: Present,
    #[serde(borrow)]
    pub token: Str<'a>,
    #[serde(borrow)]
    pub cart_token: Str<'a>,

    // A customer.
    pub accepts_marketing: Present,
    pub verified_email: Present,
    pub orders_count: Present,
    pub email_marketing_consent: Present,

    // What carries no touchpoint.
    pub invoice_sent_at: Present,
    pub invoice_url: Present,
    pub draft_order: Present,
    pub draft_orders: Present,
    pub webhook: Present,
    pub webhooks: Present,
    pub address: Present,
    pub topic: Present,

    // Envelopes; the first is that of EventBridge.
    #[serde(borrow)]
    pub detail: Maybe<Detail<'a>>,
    #[serde(borrow)]
    pub order: Maybe<Box<Record<'a>>>,
    #[serde(borrow)]
    pub orders: List<Record<'a>>,
    #[serde(borrow)]
    pub refund: Maybe<Box<Record<'a>>>,
    #[serde(borrow)]
    pub transaction: Maybe<Box<Record<'a>>>,
    #[serde(borrow)]
    pub fulfillment: Maybe<Box<Record<'a>>>,
    #[serde(borrow)]
    pub fulfillment_event: Maybe<Box<Record<'a>>>,
    #[serde(borrow)]
    pub fulfillment_events: List<Record<'a>>,
    #[serde(borrow)]
    pub checkout: Maybe<Box<Record<'a>>>,
    #[serde(borrow)]
    pub checkouts: List<Record<'a>>,
    #[serde(borrow)]
    pub customers: List<Customer<'a>>,
}

/// What EventBridge wraps around a webhook.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Detail<'a> {
    #[serde(borrow)]
    pub payload: Maybe<Box<Record<'a>>>,
    #[serde(borrow)]
    pub metadata: Obj<Metadata<'a>>,
}

/// The headers of a webhook, as EventBridge carries them.
#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Metadata<'a> {
    #[serde(borrow, rename = "X-Shopify-Topic")]
    pub topic: Str<'a>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Customer<'a> {
    #[serde(borrow)]
    pub id: Str<'a>,
    #[serde(borrow)]
    pub email: Str<'a>,
    #[serde(borrow)]
    pub phone: Str<'a>,
    #[serde(borrow)]
    pub created_at: Time<'a>,
    #[serde(borrow)]
    pub updated_at: Time<'a>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct LineItem<'a> {
    #[serde(borrow)]
    pub sku: Str<'a>,
    #[serde(borrow)]
    pub variant_id: Str<'a>,
    #[serde(borrow)]
    pub product_id: Str<'a>,
    #[serde(borrow)]
    pub price: Str<'a>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
pub(super) struct Address<'a> {
    #[serde(borrow)]
    pub country_code: Str<'a>,
}

/// Whether a member is there, whatever it holds.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Present(pub bool);

impl<'de> Deserialize<'de> for Present {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Self(true))
    }
}

/// A list, and whether it was there at all.
#[derive(Debug)]
pub(super) struct List<T>(pub Option<Vec<Obj<T>>>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> List<T> {
    pub fn is_present(&self) -> bool {
        self.0.is_some()
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten().map(|Obj(member)| member)
    }
}

impl<'de, T: Deserialize<'de> + Default> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Many::deserialize(from).map(|list| Self(Some(list.0)))
    }
}

/// Text, and whether it was there at all (`null` counts).
#[derive(Debug, Default)]
pub(super) struct Named<'a>(pub Option<Str<'a>>);

impl<'a> Named<'a> {
    pub fn text(&self) -> &str {
        self.0.as_deref().map_or("", |text| text)
    }

    pub fn is_present(&self) -> bool {
        self.0.is_some()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Named<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Str::deserialize(from).map(|text| Self(Some(text)))
    }
}

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    Order,
    Refund,
    Transaction,
    Fulfillment,
    FulfillmentStep,
    Checkout,
    Customer,
    /// Known, without a touchpoint; by name.
    Silent(&'static str),
}

impl Record<'_> {
    /// What a bare record is, by its global id, else by the fields only that resource has.
    pub fn resource(&self) -> Option<Resource> {
        let named = self.admin_graphql_api_id.strip_prefix("gid://shopify/").and_then(|path| path.split('/').next());
        let named = match named {
            Some("Order") => Some(Resource::Order),
            Some("Refund") => Some(Resource::Refund),
            Some("OrderTransaction") => Some(Resource::Transaction),
            Some("Fulfillment") => Some(Resource::Fulfillment),
            Some("FulfillmentEvent") => Some(Resource::FulfillmentStep),
            Some("Customer") => Some(Resource::Customer),
            Some("DraftOrder") => Some(Resource::Silent("draft_order")),
            _ => None,
        };
        named.or_else(|| self.resource_by_fields())
    }

    fn resource_by_fields(&self) -> Option<Resource> {
        let ordered = self.order_id.some().is_some();
        let items = self.line_items.is_present();
        if self.invoice_sent_at.0 || self.invoice_url.0 {
            Some(Resource::Silent("draft_order"))
        } else if self.address.0 && self.topic.0 {
            Some(Resource::Silent("webhook"))
        } else if self.refund_line_items.0 {
            Some(Resource::Refund)
        } else if self.fulfillment_id.some().is_some() {
            Some(Resource::FulfillmentStep)
        } else if ordered && self.kind.some().is_some() {
            Some(Resource::Transaction)
        } else if ordered
            && (self.tracking_company.is_present()
                || self.tracking_number.0
                || self.tracking_numbers.0
                || self.shipment_status.is_present())
        {
            Some(Resource::Fulfillment)
        } else if self.abandoned_checkout_url.0 {
            Some(Resource::Checkout)
        } else if self.financial_status.some().is_some()
            || self.order_number.some().is_some()
            || self.fulfillment_status.0
            || (items && self.total_price.some().is_some() && self.cart_token.some().is_none())
        {
            Some(Resource::Order)
        } else if self.accepts_marketing.0
            || self.verified_email.0
            || self.orders_count.0
            || self.email_marketing_consent.0
        {
            Some(Resource::Customer)
        } else if self.token.some().is_some() && self.total_price.some().is_some() {
            Some(Resource::Checkout)
        } else if self.token.some().is_some() && items {
            Some(Resource::Silent("cart"))
        } else {
            None
        }
    }
}
