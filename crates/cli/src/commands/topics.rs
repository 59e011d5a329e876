//! `throughline topics`.

use anyhow::Result;
use serde_json::json;
use throughline_config::topics::{self, TopicSpec, TopicStep};

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

/// Creates missing topics and corrects settings.
///
/// # Errors
/// If the runtime cannot be started.
pub fn apply(arguments: &PlanArguments, context: &Context) -> Result<Exit> {
    let Some(config) = context.config_or_talk() else { return Ok(Exit::Configuration) };
    let mut specs = topics::plan(&config);
    if arguments.sources {
        specs.extend(topics::source_plan(&config));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(async {
        let steps = throughline_service::topics::steps(&config, &specs).await?;
        throughline_service::topics::apply(&config, &steps).await?;
        Ok(steps)
    });
    match done {
        Ok(steps) => {
            for step in &steps {
                let (did, topic) = match step {
                    TopicStep::Keep { name } => ("kept", name),
                    TopicStep::Create(spec) => ("created", &spec.name),
                    TopicStep::Alter { name, .. } => ("altered", name),
                    TopicStep::Refuse { name, .. } => ("refused", name),
                };
                if context.output.json {
                    context.output.object(&json!({"topic": topic, "did": did}))?;
                } else {
                    context.output.line(format_args!("{did:<8} {topic}"))?;
                }
            }
            Ok(Exit::Ok)
        }
        Err(error) => Ok(super::run::ended(Err(error), context)),
    }
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
