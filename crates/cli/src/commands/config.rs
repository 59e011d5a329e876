//! `throughline config`.

use anyhow::Result;
use serde_json::json;
use throughline_config::{DEFAULT_TOML, schema};

use crate::context::Context;
use crate::exit::Exit;

/// Prints what holds and where it was set. Secrets are `***`. What is printed can be read again as a file.
///
/// # Errors
/// When stdout cannot be written.
pub fn show(changed: bool, context: &Context) -> Result<Exit> {
    let Some(config) = context.config_or_talk() else { return Ok(Exit::Configuration) };
    let settings = config.settings.iter().filter(|(_, setting)| !changed || setting.origin.is_set());
    for (path, setting) in settings {
        if context.output.json {
            let origin = setting.origin.to_json();
            let line = json!({"key": path.to_string(), "value": setting.value.to_json(), "origin": origin});
            context.output.object(&line)?;
        } else {
            let line = format!("{path} = {}", setting.value);
            context.output.line(format_args!("{line:<60} # {}", setting.origin))?;
        }
    }
    Ok(Exit::Ok)
}

/// Prints the commented reference.
///
/// # Errors
/// When stdout cannot be written.
pub fn default(context: &Context) -> Result<Exit> {
    context.output.raw(DEFAULT_TOML.as_bytes())?;
    Ok(Exit::Ok)
}

/// Prints the JSON Schema of the file.
///
/// # Errors
/// When stdout cannot be written.
pub fn schema(context: &Context) -> Result<Exit> {
    context.output.line(format_args!("{:#}", schema::json_schema()))?;
    Ok(Exit::Ok)
}
