//! From the configuration to a run in memory.

use std::sync::Arc;

use anyhow::{Result, bail};
use throughline_config::Config;
use throughline_config::vocabulary::{Now, SourceKind};
use throughline_pipeline::local::{Formats, LocalNormalizeOptions, LocalOptions, format_by_name, formats};
use throughline_service::Rules;
use throughline_service::schemas::Schemas;
use throughline_service::wiring;

/// The run that this configuration describes: its sources, names, zones, model, hash key. Received times are event times,
/// values are JSON, whatever a registry would make of them.
///
/// # Errors
/// When the hash key cannot be read.
pub fn local_options(config: &Config, rules: Rules, start: Now) -> Result<LocalOptions> {
    let ids = wiring::ids(config)?;
    let mut options = LocalOptions::new(ids.clone(), start);
    let usual = std::mem::replace(&mut options.sources, wiring::sources(config)?);
    for source in usual {
        // A source that is switched off can still be tried.
        if options.source(source.1.kind).is_none() {
            options.sources.push(source);
        }
    }
    options.normalize = LocalNormalizeOptions { received_at_event_time: true, ..wiring::normalize_options(config) };
    options.experience = wiring::experience_options(config, &Arc::new(rules), &ids, &Schemas::json());
    Ok(options)
}

/// The clock of a run until its records move it; a record without a time of its own happens now.
pub fn now() -> Now {
    Now::from_millis(jiff::Timestamp::now().as_millisecond())
}

/// Index of the source of that kind, with its format fixed unless `format` is `auto`.
///
/// # Errors
/// When there is no such format, or no such source.
pub fn select(options: &mut LocalOptions, kind: SourceKind, format: &str) -> Result<usize> {
    let Some(at) = options.source(kind) else { bail!("records of {kind} do not become touchpoints here") };
    if format != "auto" {
        let Some(found) = format_by_name(format) else {
            let names: Vec<&str> = formats().iter().map(|format| format.name()).collect();
            bail!("no format `{format}`; one of auto, {}", names.join(", "));
        };
        let source = Arc::make_mut(&mut options.sources[at].1);
        source.formats = Formats::Only(vec![found]);
    }
    Ok(at)
}
