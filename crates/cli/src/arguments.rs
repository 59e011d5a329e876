//! Flags and subcommands as they are typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use throughline_config::vocabulary::{IdentifierType, SourceKind, Stage};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  something else failed
  2  bad configuration or wrong flags
  3  no broker answered
  4  schemas or state do not fit
  5  fenced by another deployment or process
  6  a check found problems

`throughline explain CODE` has a page for each of them, for every reason of a rejection and for every type of alert.";

/// Customer-experience state from Kafka topics, in real time and exactly once.
///
/// Reads what customers did and said from your topics, keeps one state per customer, writes scores and alerts.
#[derive(Debug, Parser)]
#[command(name = "throughline", version, after_help = EXIT_CODES, max_term_width = 100, disable_help_subcommand = true)]
pub struct Arguments {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// What every command has.
    #[command(flatten)]
    pub global: GlobalArguments,
}

/// What every command has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArguments {
    /// Configuration file [default: throughline.toml, if it is there]
    #[arg(short, long, global = true, value_name = "FILE", env = "THROUGHLINE_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// Sets one key, before file and environment: kafka.brokers=host:9092
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Prints data as JSON, one object a line
    #[arg(long, global = true)]
    pub json: bool,
}

/// Everything that can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Tells a story in one process: real formats in, scores and alerts out, then what to do next
    Demo(DemoArguments),
    /// Runs your own records through the pipeline without a broker
    Try(TryArguments),
    /// Compares given records with expected outputs
    Test(TestArguments),
    /// Runs the service
    Run(RunArguments),
    /// Checks the configuration; with --connect also what it names
    Check(CheckArguments),
    /// Prints the configuration
    Config {
        /// What to print.
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// Plans and creates topics
    Topics {
        /// What to do.
        #[command(subcommand)]
        action: TopicsAction,
    },
    /// Plans, registers and checks schemas
    Schemas {
        /// What to do.
        #[command(subcommand)]
        action: SchemasAction,
    },
    /// Shows committed state
    Inspect {
        /// What to show.
        #[command(subcommand)]
        action: InspectAction,
    },
    /// Shows what the workers do and what to do about it
    Status(StatusArguments),
    /// Looks into a local log or a changelog partition
    State {
        /// What to do.
        #[command(subcommand)]
        action: StateAction,
    },
    /// Explains a code: a rejection, an alert, an exit code, a fault
    Explain {
        /// Code or name: TL-R01, undecodable, experience_low. Without one: a list
        code: Option<String>,
    },
    /// Identifiers
    Identity {
        /// What to do.
        #[command(subcommand)]
        action: IdentityAction,
    },
    /// Prints completions for a shell
    Completions {
        /// Shell.
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Prints the manual page
    Man,
}

/// Flags of `demo`.
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// How long the story runs
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(5..=3600))]
    pub seconds: u64,
    /// Port of queries, metrics and health on this machine; 0 takes a free one
    #[arg(long, default_value_t = 8088)]
    pub port: u16,
}

/// Flags of `try`.
#[derive(Debug, Args)]
pub struct TryArguments {
    /// JSON, NDJSON, TSV or Avro files; - is stdin
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Source of the records: web, social, store, call-centre, partner, survey
    #[arg(long, value_name = "SOURCE", default_value = "web", value_parser = member::<SourceKind>)]
    pub source: SourceKind,
    /// Format of the records; auto finds it from their shape
    #[arg(long, default_value = "auto")]
    pub format: String,
    /// Lets time pass until then, after the last record: alerts expire, settle and are reviewed
    #[arg(long, value_name = "TIME")]
    pub until: Option<jiff::Timestamp>,
    /// Exits with 6 if anything was rejected
    #[arg(long)]
    pub strict: bool,
}

/// Flags of `test`.
#[derive(Debug, Args)]
pub struct TestArguments {
    /// Folder of cases
    pub dir: PathBuf,
    /// Writes a JUnit report
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
}

/// Flags of `run`.
#[derive(Debug, Args)]
pub struct RunArguments {
    /// Runs one stage only: normalize or experience
    #[arg(long, value_parser = stage)]
    pub stage: Option<Stage>,
}

/// Flags of `check`.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Also asks brokers, registry and topics; without it nothing is connected to and no secret is read
    #[arg(long)]
    pub connect: bool,
    /// Exits with 6 on warnings too
    #[arg(long)]
    pub strict: bool,
}

/// What `config` prints.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum ConfigAction {
    /// What holds, with the place where each value was set
    Show {
        /// Only what differs from the defaults
        #[arg(long)]
        changed: bool,
    },
    /// The commented reference with every default
    Default,
    /// JSON Schema for editors
    Schema,
}

/// What `topics` does.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum TopicsAction {
    /// Prints the topics that this configuration needs
    Plan(PlanArguments),
    /// Creates missing topics, corrects settings, refuses other partition counts
    Apply(PlanArguments),
}

/// Flags of `topics` and `schemas`.
#[derive(Debug, Clone, Copy, Args)]
pub struct PlanArguments {
    /// Also the topics of the sources, which others own in production
    #[arg(long)]
    pub sources: bool,
}

/// What `schemas` does.
#[derive(Debug, Clone, Copy, Subcommand)]
pub enum SchemasAction {
    /// Prints the schemas of this version and how the registry stands to them
    Plan(PlanArguments),
    /// Registers what the registry lacks
    Apply(PlanArguments),
    /// Exits with 6 unless the registry has every schema of this version
    Check(PlanArguments),
}

/// What `inspect` shows.
#[derive(Debug, Subcommand)]
pub enum InspectAction {
    /// State of one customer with its reasons; the look-up is audited
    Customer {
        /// Customer id (34 hex digits), or an identifier with --type
        id: String,
        /// Type of the identifier
        #[arg(long = "type", value_name = "TYPE", value_parser = member::<IdentifierType>)]
        kind: Option<IdentifierType>,
        /// Why the customer is looked up; goes to the audit topic
        #[arg(long)]
        purpose: Option<String>,
        /// Address of a running instance [default: that of the configuration]
        #[arg(long)]
        url: Option<String>,
    },
}

/// Flags of `status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    /// Address of a running instance [default: that of the configuration]
    #[arg(long)]
    pub url: Option<String>,
}

/// What `state` does.
#[derive(Debug, Subcommand)]
pub enum StateAction {
    /// Parts, versions, sizes and largest customers, by partition
    Inspect(StateArguments),
    /// Exits with 6 if something is torn, flipped, missing or unreadable
    Verify(VerifyArguments),
}

/// Flags of `state inspect`.
#[derive(Debug, Args)]
pub struct StateArguments {
    /// Directory of a local log, or the folder of one partition in it [default: state.directory]
    #[arg(conflicts_with = "topic")]
    pub directory: Option<PathBuf>,
    /// Changelog topic to read from the configured brokers
    #[arg(long, value_name = "NAME")]
    pub topic: Option<String>,
    /// One partition only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: Option<i32>,
}

/// Flags of `state verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// What to look into.
    #[command(flatten)]
    pub state: StateArguments,
    /// Also compares the local log with the changelog on the configured brokers
    #[arg(long, conflicts_with = "topic")]
    pub against_changelog: bool,
}

/// What `identity` does.
#[derive(Debug, Subcommand)]
pub enum IdentityAction {
    /// Prints the hash and the customer id of an identifier
    Hash {
        /// Type of the identifier
        #[arg(value_name = "TYPE", value_parser = member::<IdentifierType>)]
        kind: IdentifierType,
        /// Value; it is normalized as a source would
        value: String,
        /// Country calling code of a telephone number without one: 49
        #[arg(long, value_name = "DIGITS", default_value = "", hide_default_value = true)]
        calling_code: String,
    },
}

/// A member of a closed set of the vocabulary, by its name.
fn member<T>(name: &str) -> Result<T, String>
where
    T: std::str::FromStr + Named,
{
    name.parse().map_err(|_| format!("one of {}", T::names().join(", ")))
}

fn stage(name: &str) -> Result<Stage, String> {
    match name.parse() {
        Ok(stage @ (Stage::Normalize | Stage::Experience)) => Ok(stage),
        _ => Err("one of normalize, experience".to_owned()),
    }
}

/// A closed set that can list its names.
trait Named {
    fn names() -> Vec<&'static str>;
}

impl Named for SourceKind {
    fn names() -> Vec<&'static str> {
        Self::ALL.iter().map(|kind| kind.as_str()).collect()
    }
}

impl Named for IdentifierType {
    fn names() -> Vec<&'static str> {
        Self::ALL.iter().map(|kind| kind.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::exit::Exit;

    #[test]
    fn flags_and_commands_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_help_lists_every_exit_code() {
        for exit in Exit::ALL {
            let line = format!("  {}  {}", exit.code(), exit.meaning());
            assert!(EXIT_CODES.contains(&line), "{line}");
        }
    }
}
