//! `throughline schemas`: the schemas of this version against those of the registry.

use anyhow::{Context as _, Result};
use serde_json::json;
use throughline_config::Config;
use throughline_config::vocabulary::SourceKind;
use throughline_pipeline::records::{RecordRole, SubjectSchema, all_schemas};
use throughline_service::registry::{Registry, SubjectState, WantedSchema, wanted};

use crate::arguments::PlanArguments;
use crate::context::Context;
use crate::exit::Exit;

/// Prints how the registry stands to each schema. Changes nothing.
///
/// # Errors
/// When the registry does not answer, or stdout cannot be written.
pub fn plan(arguments: &PlanArguments, context: &Context) -> Result<Exit> {
    let Some(config) = context.config_or_talk() else { return Ok(Exit::Configuration) };
    let Some(registry) = registry(&config)? else {
        context.output.talk("no registry is configured (`registry.url`): outputs are JSON and need no schema");
        return Ok(Exit::Ok);
    };
    print_states(&registry, &wanted_schemas(&config, arguments.sources), context)?;
    Ok(Exit::Ok)
}

/// Registers what is missing or behind.
///
/// # Errors
/// When the registry does not answer or refuses, or stdout cannot be written.
pub fn apply(arguments: &PlanArguments, context: &Context) -> Result<Exit> {
    let Some(config) = context.config_or_talk() else { return Ok(Exit::Configuration) };
    let Some(registry) = registry(&config)? else { return Ok(no_registry(context)) };
    let wanted = wanted_schemas(&config, arguments.sources);
    let ids = registry.apply(&wanted).context("failed to register schemas")?;
    for (schema, id) in wanted.iter().zip(ids) {
        if context.output.json {
            context.output.object(&json!({"subject": schema.subject, "id": id}))?;
        } else {
            context.output.line(format_args!("{:<52} id {id}", schema.subject))?;
        }
    }
    Ok(Exit::Ok)
}

/// Like [`plan`], for scripts: the exit code tells whether anything is to be done.
///
/// # Errors
/// When the registry does not answer, or stdout cannot be written.
pub fn check(arguments: &PlanArguments, context: &Context) -> Result<Exit> {
    let Some(config) = context.config_or_talk() else { return Ok(Exit::Configuration) };
    let Some(registry) = registry(&config)? else { return Ok(no_registry(context)) };
    let complete = print_states(&registry, &wanted_schemas(&config, arguments.sources), context)?;
    Ok(if complete { Exit::Ok } else { Exit::FoundProblems })
}

fn registry(config: &Config) -> Result<Option<Registry>> {
    config.registry.as_ref().map(Registry::new).transpose()
}

fn no_registry(context: &Context) -> Exit {
    context.output.error(&anyhow::anyhow!("no registry is configured; set `registry.url`"));
    Exit::Configuration
}

/// Whether the registry has all of them.
fn print_states(registry: &Registry, wanted: &[WantedSchema], context: &Context) -> Result<bool> {
    let states = registry.plan(wanted).context("failed to compare with the registry")?;
    let mut complete = true;
    for (schema, state) in wanted.iter().zip(&states) {
        let (word, detail) = match state {
            SubjectState::Registered(id) => ("registered", format!("id {id}")),
            SubjectState::Missing => ("missing", "would be created".to_owned()),
            SubjectState::Behind => ("behind", "would get a compatible version".to_owned()),
            SubjectState::Incompatible(why) => ("incompatible", why.join("; ")),
        };
        complete &= matches!(state, SubjectState::Registered(_));
        if context.output.json {
            context.output.object(&json!({"subject": schema.subject, "state": word, "detail": detail}))?;
        } else {
            context.output.line(format_args!("{:<52} {word:<12} {detail}", schema.subject))?;
        }
    }
    Ok(complete)
}

/// The schemas of what is written here and of the commands read here; with `sources` also those of our own contract.
fn wanted_schemas(config: &Config, sources: bool) -> Vec<WantedSchema> {
    let Some(registry) = &config.registry else { return Vec::new() };
    let schemas = all_schemas();
    let topics: Vec<(String, &SubjectSchema)> = schemas
        .iter()
        .flat_map(|schema| match schema.role {
            RecordRole::Output | RecordRole::Command => {
                vec![(format!("{}{}", config.topics.prefix, schema.topic), schema)]
            }
            RecordRole::Source if sources => source_topics(config, schema),
            RecordRole::Source => Vec::new(),
        })
        .collect();
    wanted(topics.iter().map(|(topic, schema)| (topic.as_str(), *schema)), registry.subjects)
}

/// The configured topics of the kind of source that a schema is for.
fn source_topics<'s>(config: &Config, schema: &'s SubjectSchema) -> Vec<(String, &'s SubjectSchema)> {
    let kind = match schema.topic {
        "customers.profile" => Some(SourceKind::Profile),
        "customers.consent" => Some(SourceKind::Consent),
        "channel.catalog" => Some(SourceKind::Catalog),
        topic => topic.strip_prefix("touchpoints.").and_then(SourceKind::from_name),
    };
    let sources = config.sources.iter().filter(|source| Some(source.kind) == kind);
    sources.flat_map(|source| source.topics.iter().map(|topic| (topic.clone(), schema))).collect()
}
