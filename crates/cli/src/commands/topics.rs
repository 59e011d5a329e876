//! `throughline topics`.

use anyhow::Result;
use serde_json::json;
use throughline_config::topics::{self, TopicSpec};

use crate::arguments::PlanArguments;
use crate::context::Context;
use crate::exit::Exit;

/// Prints the topics that this configuration needs.
///
/// # Errors
/// When stdout cannot be written.
pub fn plan(arguments: &PlanArguments, context: &Context) -> Result<Exit> {
    let Some(config) = context.config_or_talk() else { return Ok(Exit::Configuration) };
    let mut specs = topics::plan(&config);
    if arguments.sources {
        specs.extend(topics::source_plan(&config));
    }
    for spec in &specs {
        if context.output.json {
            context.output.object(&to_json(spec))?;
        } else {
            context.output.line(to_text(spec))?;
        }
    }
    let partitions: u64 = specs.iter().map(|spec| u64::from(spec.partitions) * u64::from(spec.replication)).sum();
    context.output.talk(format_args!("{} topics, {partitions} partitions with their copies", specs.len()));
    Ok(Exit::Ok)
}

/// Creates what is missing and corrects settings.
///
/// # Errors
/// Always: it is not built yet.
pub fn apply(_arguments: &PlanArguments, _context: &Context) -> Result<Exit> {
    super::not_built("topics apply")
}

fn to_json(spec: &TopicSpec) -> serde_json::Value {
    json!({
        "topic": spec.name,
        "partitions": spec.partitions,
        "replication": spec.replication,
        "settings": spec.settings,
        "owned": spec.topic.is_some(),
    })
}

fn to_text(spec: &TopicSpec) -> String {
    let settings: Vec<String> = spec.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let shape = format!("{} x {}", spec.partitions, spec.replication);
    format!("{:<44} {shape:>8}  {}", spec.name, settings.join(" "))
}
