//! Self-describing JSON: what is read of the event itself and of the entities attached to it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use throughline_model::touchpoint::Text;

use crate::json::{Many, Obj, Str};

/// What the entities of one record say.
#[derive(Debug, Default)]
pub(super) struct Found<'a> {
    /// `link_click`: where it leads.
    pub target_url: Text<'a>,
    /// `client_session`: the device's own id.
    pub user_id: Text<'a>,
    /// `client_session`.
    pub session_id: Text<'a>,
}

/// Any of the objects that are read; members of others are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Entity<'a> {
    #[serde(borrow)]
    target_url: Str<'a>,
    #[serde(borrow)]
    user_id: Str<'a>,
    #[serde(borrow)]
    session_id: Str<'a>,
}

impl<'a> Found<'a> {
    /// Adds what an entity of that schema says.
    pub fn add(&mut self, schema: &str, entity: Entity<'a>) {
        if schema.contains("link_click") {
            self.target_url = entity.target_url.0;
        } else if schema.contains("client_session") {
            self.user_id = entity.user_id.0;
            self.session_id = entity.session_id.0;
        }
    }
}

/// `{"schema": ..., "data": {"schema": ..., "data": {...}}}`, or a list of the inner objects.
#[derive(Debug, Default)]
pub(super) struct Wrapped<'a>(pub Found<'a>);

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Outer<'a> {
    #[serde(borrow)]
    data: Many<Obj<Inner<'a>>>,
}

/// The schema may stand behind the object it describes, so that is kept until both are known.
#[derive(Debug, Default)]
struct Inner<'a> {
    schema: Text<'a>,
    entity: Entity<'a>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Inner<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Default, Deserialize)]
        #[serde(default)]
        struct Wire<'a> {
            #[serde(borrow)]
            schema: Str<'a>,
            #[serde(borrow)]
            data: Obj<Entity<'a>>,
        }
        Wire::deserialize(from).map(|wire| Self { schema: wire.schema.0, entity: wire.data.0 })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Wrapped<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let outer = Obj::<Outer<'a>>::deserialize(from)?;
        let mut found = Found::default();
        for inner in outer.0.data {
            found.add(&inner.0.schema, inner.0.entity);
        }
        Ok(Self(found))
    }
}

/// The JSON form names each entity by its schema (`contexts_com_snowplowanalytics_snowplow_client_session_1`); this keeps
/// those that are read, undecoded.
#[derive(Debug, Default)]
pub(super) struct Named<'a>(pub Vec<(Text<'a>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Named<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(NamedVisitor(PhantomData))
    }
}

struct NamedVisitor<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for NamedVisitor<'a> {
    type Value = Named<'a>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<'a>, A::Error> {
        let mut named = Named::default();
        while let Some(Str(name)) = map.next_key::<Str<'a>>()? {
            let is_wrapped = matches!(&*name, "contexts" | "unstruct_event" | "derived_contexts");
            if is_wrapped || name.contains("link_click") || name.contains("client_session") {
                named.0.push((name, map.next_value()?));
            } else {
                map.next_value::<serde::de::IgnoredAny>()?;
            }
        }
        Ok(named)
    }
}
