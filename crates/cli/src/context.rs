//! What every command is given: the layers of the configuration and where to write.

use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use serde_json::json;
use throughline_config::model::Rules;
use throughline_config::routing::Routing;
use throughline_config::{Config, ConfigError, ConfigWarning, RawConfig, Surroundings, VARIABLE_PREFIX};

use crate::arguments::GlobalArguments;
use crate::output::Output;

/// The file that is read when none is named, if it is there.
const USUAL_FILE: &str = "throughline.toml";

/// The configuration and the files it names.
#[derive(Debug)]
pub struct Deployment {
    /// What holds.
    pub config: Config,
    /// The model, with what the configuration changes.
    pub rules: Rules,
    /// Roles to targets.
    #[expect(dead_code, reason = "only a running service routes")]
    pub routing: Routing,
}

/// What every command is given.
#[derive(Debug)]
pub struct Context {
    /// Where to write.
    pub output: Output,
    file: Option<PathBuf>,
    variables: Vec<(String, String)>,
    flags: Vec<String>,
}

impl Context {
    /// From the flags that every command has, and the environment.
    pub fn new(global: &GlobalArguments, variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let usual = || Some(PathBuf::from(USUAL_FILE)).filter(|file| file.is_file());
        // A variable that is not UTF-8 and not ours is none of our business.
        let variables = variables
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
            .filter(|(name, _)| name.starts_with(VARIABLE_PREFIX));
        Self {
            output: Output { json: global.json },
            file: global.config.clone().or_else(usual),
            variables: variables.collect(),
            flags: global.set.clone(),
        }
    }

    /// The file that was named or found.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Loads and resolves the configuration. Reads the configuration file, and asks the machine for its cores and its memory.
    ///
    /// # Errors
    /// Every mistake at once.
    pub fn config(&self) -> Result<Config, Vec<ConfigError>> {
        let mut raw = RawConfig { file: None, variables: self.variables.clone(), flags: self.flags.clone() };
        if let Some(file) = &self.file {
            raw.file = Some(read_text(file)?);
        }
        let cores = std::thread::available_parallelism().ok().and_then(|cores| NonZeroU32::try_from(cores).ok());
        let memory = throughline_service::memory::found();
        raw.resolve(&Surroundings { memory, ..Surroundings::new(cores.unwrap_or(NonZeroU32::MIN)) })
    }

    /// The configuration with the model and routing files that it names, none of which is a secret.
    ///
    /// # Errors
    /// Every mistake of the configuration, else every mistake of those files.
    pub fn deployment(&self) -> Result<Deployment, Vec<ConfigError>> {
        let mut config = self.config()?;
        let model = config.model_file.clone().map(|file| read_text(&file)).transpose();
        let rules = model.and_then(|model| config.rules(model.as_ref().map(|(file, text)| (&**file, &**text))));
        let routing = match &config.routing_file {
            None => Ok(Routing::default()),
            Some(file) => read_text(file).and_then(|(file, text)| Routing::parse(&file, &text)),
        };
        match (rules, routing) {
            (Ok(rules), Ok(routing)) => Ok(Deployment { config, rules, routing }),
            (rules, routing) => Err(rules.err().into_iter().chain(routing.err()).flatten().collect()),
        }
    }

    /// The configuration for a command that needs it: mistakes and warnings go to stderr.
    pub fn config_or_talk(&self) -> Option<Config> {
        match self.deployment() {
            Ok(Deployment { config, .. }) => {
                self.talk_warnings(&config.warnings);
                Some(config)
            }
            Err(errors) => {
                self.talk_errors(&errors);
                None
            }
        }
    }

    /// Mistakes on stderr.
    pub fn talk_errors(&self, errors: &[ConfigError]) {
        if self.output.json {
            let errors: Vec<_> = errors.iter().map(ConfigError::to_json).collect();
            self.output.talk(json!({"errors": errors}));
            return;
        }
        for error in errors {
            self.output.talk(format_args!("{error}\n"));
        }
        let count = errors.len();
        self.output
            .talk(format_args!("{count} {} in the configuration", if count == 1 { "mistake" } else { "mistakes" }));
    }

    /// Warnings on stderr.
    pub fn talk_warnings(&self, warnings: &[ConfigWarning]) {
        for warning in warnings {
            if self.output.json {
                self.output.talk(json!({"warning": warning.to_json()}));
            } else {
                self.output.talk(format_args!("{warning}\n"));
            }
        }
    }
}

/// Name and text of a file.
fn read_text(file: &Path) -> Result<(String, String), Vec<ConfigError>> {
    let text = std::fs::read_to_string(file).map_err(|error| vec![ConfigError::unreadable(file, &error)])?;
    Ok((file.display().to_string(), text))
}
