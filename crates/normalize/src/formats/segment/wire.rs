//! The calls as they are written.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use throughline_model::Rejection;
use throughline_model::touchpoint::Text;

use crate::json::{self, Flag, Many, Num, Obj, Pairs, Str, Time, fill, members};

members! {
    /// One call, or the envelope of a batch.
    pub(super) struct Call<'a> {
        pub kind: Str<'a> = "type",
        pub action: Str<'a> = "action",
        pub event: Str<'a> = "event",
        pub message_id: Str<'a> = "messageId",
        pub user_id: Str<'a> = "userId",
        pub anonymous_id: Str<'a> = "anonymousId",
        pub previous_id: Str<'a> = "previousId",
        pub group_id: Str<'a> = "groupId",
        /// RudderStack: `web`, `mobile`, `server`.
        pub channel: Str<'a> = "channel",
        pub timestamp: Time<'a> = "timestamp",
        pub original_timestamp: Time<'a> = "originalTimestamp",
        pub sent_at: Str<'a> = "sentAt",
        pub received_at: Str<'a> = "receivedAt",
        /// Read for all calls, though only some names need them: reading them later would go over them twice.
        pub properties: Obj<Properties<'a>> = "properties",
        /// Decoded only where they are the record's own subject.
        pub traits: Option<&'a RawValue> = "traits",
        pub context: Obj<Context<'a>> = "context",
        pub batch: Batch<'a> = "batch",
        /// Members by which other vendors' records give themselves away.
        pub specversion: Option<IgnoredAny> = "specversion",
        pub api_key: Option<IgnoredAny> = "api_key",
        pub distinct_id: Option<IgnoredAny> = "distinct_id",
    }
}

impl Call<'_> {
    /// Whether the call comes from an application rather than a web site.
    pub fn is_app(&self) -> bool {
        let context = &self.context.0;
        !context.device.id.is_empty()
            || matches!(&*context.device.kind, "ios" | "android")
            || self.channel.eq_ignore_ascii_case("mobile")
            || is_mobile_library(&context.library.name)
    }

    /// Whether anything but the type says that this is a call.
    pub fn is_call(&self) -> bool {
        [&self.event, &self.user_id, &self.anonymous_id, &self.message_id, &self.previous_id, &self.group_id]
            .iter()
            .any(|member| !member.is_empty())
    }
}

/// Whether the name holds that of a mobile platform. Most names hold none, so the first letters decide before any search.
fn is_mobile_library(name: &str) -> bool {
    let bytes = name.as_bytes();
    (0..bytes.len()).any(|at| match &bytes[at..] {
        [b'i', b'o', b's', ..] => true,
        rest @ [b'a', b'n', b'd', ..] => rest.starts_with(b"android"),
        rest @ [b's', b'w', ..] => rest.starts_with(b"swift"),
        rest @ [b'k', b'o', ..] => rest.starts_with(b"kotlin"),
        rest @ [b'r', b'e', b'a', ..] => rest.starts_with(b"react-native"),
        rest @ [b'f', b'l', ..] => rest.starts_with(b"flutter"),
        rest @ [b'u', b'n', ..] => rest.starts_with(b"unity"),
        _ => false,
    })
}

/// A member that was left undecoded: an object, or its default if it is anything else.
pub(super) fn decode<'a, T: Deserialize<'a> + Default>(member: Option<&'a RawValue>) -> Result<T, Rejection> {
    member.map_or_else(|| Ok(T::default()), |member| json::from_str::<Obj<T>>(member.get()).map(|object| object.0))
}

/// The members of a batch, each decoded on its own so that a bad one leaves its siblings alone.
#[derive(Debug, Default)]
pub(super) struct Batch<'a>(pub Option<Vec<&'a RawValue>>);

impl<'de: 'a, 'a> Deserialize<'de> for Batch<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::<Vec<&'a RawValue>>::deserialize(from).map(Self)
    }
}

fill::fill_whole!(Batch<'de>, Num, Flag);

members! {
    pub(super) struct Context<'a> {
        pub app: Obj<App<'a>> = "app",
        pub campaign: Obj<Named<'a>> = "campaign",
        pub library: Obj<Named<'a>> = "library",
        pub device: Obj<Device<'a>> = "device",
        pub session_id: Str<'a> = "sessionId",
        pub group_id: Str<'a> = "groupId",
        pub traits: Obj<Person<'a>> = "traits",
        pub external_ids: Many<Obj<ExternalId<'a>>> = "externalIds",
        pub consent: Obj<ConsentContext<'a>> = "consent",
    }
}

members! {
    pub(super) struct App<'a> {
        pub name: Str<'a> = "name",
        pub version: Str<'a> = "version",
    }
}

members! {
    pub(super) struct Named<'a> {
        pub name: Str<'a> = "name",
    }
}

members! {
    pub(super) struct Device<'a> {
        pub id: Str<'a> = "id",
        pub kind: Str<'a> = "type",
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct ExternalId<'a> {
    #[serde(borrow)]
    pub id: Str<'a>,
    #[serde(borrow, rename = "type")]
    pub kind: Str<'a>,
}

members! {
    pub(super) struct ConsentContext<'a> {
        pub category_preferences: Pairs<'a> = "categoryPreferences",
    }
}

members! {
    /// The two traits that reach a person.
    pub(super) struct Person<'a> {
        pub email: Str<'a> = "email",
        pub phone: Str<'a> = "phone",
    }
}

/// Traits of the call itself.
#[derive(Debug, Default)]
pub(super) struct Traits<'a> {
    pub person: Person<'a>,
    /// Scalars that neither name nor reach the person.
    pub rest: Vec<(Text<'a>, Text<'a>)>,
}

/// Traits of Segment's list that name, reach or depict a person.
const PERSONAL: [&str; 16] = [
    "address",
    "age",
    "avatar",
    "birthday",
    "description",
    "firstName",
    "first_name",
    "id",
    "lastName",
    "last_name",
    "name",
    "phone",
    "email",
    "username",
    "website",
    "ip",
];

impl<'de: 'a, 'a> Deserialize<'de> for Traits<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(TraitsVisitor(PhantomData))
    }
}

struct TraitsVisitor<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for TraitsVisitor<'a> {
    type Value = Traits<'a>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("traits")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Traits<'a>, A::Error> {
        let mut traits = Traits::default();
        while let Some((name, value)) = map.next_entry::<Str<'a>, Str<'a>>()? {
            match name.as_ref() {
                "email" => traits.person.email = value,
                "phone" => traits.person.phone = value,
                name if PERSONAL.contains(&name) || value.is_empty() => {}
                _ => traits.rest.push((name.0, value.0)),
            }
        }
        Ok(traits)
    }
}

members! { last
    /// Properties of the track calls of the table. Whoever sends one twice means the last one: most calls need none of them, and
    /// none may cost such a call.
    pub(super) struct Properties<'a> {
        pub order_id: Str<'a> = "order_id",
        pub checkout_id: Str<'a> = "checkout_id",
        pub product_id: Str<'a> = "product_id",
        pub sku: Str<'a> = "sku",
        pub price: Str<'a> = "price",
        pub total: Str<'a> = "total",
        pub revenue: Str<'a> = "revenue",
        pub value: Str<'a> = "value",
        pub currency: Str<'a> = "currency",
        pub products: Listed<Obj<Product<'a>>> = "products",
        pub promotion_id: Str<'a> = "promotion_id",
        pub rating: Str<'a> = "rating",
        pub review_id: Str<'a> = "review_id",
        pub review_body: Str<'a> = "review_body",
        pub share_message: Str<'a> = "share_message",
        pub coupon_id: Str<'a> = "coupon_id",
        pub coupon: Str<'a> = "coupon",
        pub reason: Str<'a> = "reason",
        pub cancelled_by: Str<'a> = "cancelled_by",
        pub agent_id: Str<'a> = "agent_id",
        pub conversation_id: Str<'a> = "conversation_id",
        pub conversation_duration: Num = "conversation_duration",
        pub message_id: Str<'a> = "message_id",
        pub message_body: Str<'a> = "message_body",
        pub resolved: Flag = "resolved",
        pub results: Str<'a> = "results",
        pub results_count: Str<'a> = "results_count",
        pub result_count: Str<'a> = "result_count",
        pub num_results: Str<'a> = "num_results",
        pub email: Str<'a> = "email",
        pub phone: Str<'a> = "phone",
    }
}

members! { last
    pub(super) struct Product<'a> {
        pub product_id: Str<'a> = "product_id",
        pub sku: Str<'a> = "sku",
        pub price: Str<'a> = "price",
        pub currency: Str<'a> = "currency",
    }
}

/// A list that knows whether it was there: a search without results says so with an empty one.
#[derive(Debug)]
pub(super) struct Listed<T>(pub Option<Vec<T>>);

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Listed<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Many::<T>::deserialize(from).map(|list| Self(Some(list.0)))
    }
}

impl<'de, T: Deserialize<'de>> fill::Fill<'de> for Listed<T> {
    fn fill<D: Deserializer<'de>>(&mut self, from: D) -> Result<(), D::Error> {
        *self = Self::deserialize(from)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_that_are_there_twice_cost_no_call_and_the_last_one_holds() {
        let text = r#"{"type":"page","properties":{"price":"1","price":"2","products":[{"sku":"a","sku":"b"}]}}"#;
        let call: Call<'_> = serde_json::from_str(text).expect("a call");
        let properties = &call.properties.0;
        let products = properties.products.0.as_deref().expect("products");
        assert_eq!((&*properties.price, &*products[0].0.sku), ("2", "b"));
        assert!(
            serde_json::from_str::<Call<'_>>(r#"{"userId":"a","userId":"b"}"#).is_err(),
            "who it was must be plain"
        );
    }

    #[test]
    fn properties_of_another_shape_read_as_absent() {
        for properties in ["null", "[1]", "\"x\"", "7", "{\"price\":{},\"products\":{},\"resolved\":[]}"] {
            let text = format!("{{\"type\":\"page\",\"properties\":{properties}}}");
            let call: Call<'_> = serde_json::from_str(&text).expect("a call");
            assert!(call.properties.0.price.is_empty(), "{properties}");
        }
    }

    #[test]
    fn mobile_libraries_are_known_by_a_part_of_their_name() {
        for name in [
            "analytics-ios",
            "rudder-android-library",
            "analytics-swift",
            "kotlin",
            "react-native",
            "a flutter b",
            "unity",
        ] {
            assert!(is_mobile_library(name), "{name}");
        }
        for name in ["", "analytics.js", "analytics-node", "RudderLabs JavaScript SDK", "andr", "fl", "unit", "i"] {
            assert!(!is_mobile_library(name), "{name}");
        }
    }

    #[test]
    fn a_member_that_is_there_twice_is_an_error() {
        let read = |text| json::from_str::<Call<'_>>(text).map(|call| call.user_id.0.into_owned());
        assert_eq!(read(r#"{"userId":"u1","more":1,"more":2}"#).as_deref(), Ok("u1"));
        let rejection = read(r#"{"userId":"u1","userId":"u2"}"#).expect_err("twice");
        assert_eq!(rejection.reason, throughline_model::RejectionReason::InvalidField);
        assert!(read("[1]").is_err());
    }
}
