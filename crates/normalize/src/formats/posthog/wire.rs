//! What PostHog writes, as far as it is read.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use throughline_model::touchpoint::Text;

use crate::json::{Flag, Str, Time};

/// One capture, or the envelope of a batch.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Capture<'a> {
    #[serde(borrow)]
    pub uuid: Str<'a>,
    #[serde(borrow)]
    pub event: Str<'a>,
    #[serde(borrow)]
    pub distinct_id: Str<'a>,
    #[serde(borrow)]
    pub timestamp: Time<'a>,
    #[serde(borrow)]
    pub sent_at: Time<'a>,
    /// An object, or in exports the same as text.
    #[serde(borrow)]
    pub properties: Option<&'a RawValue>,
    /// The capture itself as text, in the topic before ingestion.
    #[serde(borrow)]
    pub data: Option<&'a RawValue>,
    #[serde(borrow)]
    pub batch: Option<Vec<&'a RawValue>>,
    /// Older libraries write person properties beside the others.
    #[serde(borrow, rename = "$set")]
    pub set: Option<&'a RawValue>,
    #[serde(borrow, rename = "$set_once")]
    pub set_once: Option<&'a RawValue>,
}

/// Properties of a capture.
#[derive(Debug, Default)]
pub(super) struct Properties<'a> {
    pub distinct_id: Str<'a>,
    pub session_id: Str<'a>,
    pub device_id: Str<'a>,
    pub user_id: Str<'a>,
    pub is_identified: Flag,
    pub anon_distinct_id: Str<'a>,
    pub alias: Str<'a>,
    pub insert_id: Str<'a>,
    pub time: Time<'a>,
    pub library: Str<'a>,
    pub library_version: Str<'a>,
    pub app_name: Str<'a>,
    pub app_version: Str<'a>,
    pub campaign: Str<'a>,
    pub group_type: Str<'a>,
    pub group_key: Str<'a>,
    pub set: Option<&'a RawValue>,
    pub set_once: Option<&'a RawValue>,
    pub survey_id: Str<'a>,
    pub survey_name: Str<'a>,
    pub submission_id: Str<'a>,
    /// `$survey_response`, `$survey_response_1`, `$survey_response_<question>`, in order.
    pub responses: Vec<Text<'a>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Properties<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(PropertiesVisitor(PhantomData))
    }
}

struct PropertiesVisitor<'a>(PhantomData<&'a ()>);

impl<'de: 'a, 'a> Visitor<'de> for PropertiesVisitor<'a> {
    type Value = Properties<'a>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("properties")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Properties<'a>, A::Error> {
        let mut found = Properties::default();
        while let Some(Str(name)) = map.next_key::<Str<'a>>()? {
            match &*name {
                "distinct_id" => found.distinct_id = map.next_value()?,
                "$session_id" => found.session_id = map.next_value()?,
                "$device_id" => found.device_id = map.next_value()?,
                "$user_id" => found.user_id = map.next_value()?,
                "$is_identified" => found.is_identified = map.next_value()?,
                "$anon_distinct_id" => found.anon_distinct_id = map.next_value()?,
                "alias" => found.alias = map.next_value()?,
                "$insert_id" => found.insert_id = map.next_value()?,
                "$time" => found.time = map.next_value()?,
                "$lib" => found.library = map.next_value()?,
                "$lib_version" => found.library_version = map.next_value()?,
                "$app_name" => found.app_name = map.next_value()?,
                "$app_version" => found.app_version = map.next_value()?,
                "utm_campaign" => found.campaign = map.next_value()?,
                "$group_type" => found.group_type = map.next_value()?,
                "$group_key" => found.group_key = map.next_value()?,
                "$set" => found.set = map.next_value()?,
                "$set_once" => found.set_once = map.next_value()?,
                "$survey_id" => found.survey_id = map.next_value()?,
                "$survey_name" => found.survey_name = map.next_value()?,
                "$survey_submission_id" => found.submission_id = map.next_value()?,
                name if name.starts_with("$survey_response") => {
                    let response: Str<'a> = map.next_value()?;
                    if response.some().is_some() {
                        found.responses.push(response.0);
                    }
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}
