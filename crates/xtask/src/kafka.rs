//! `cargo xtask kafka`: the broker that stays for development.
//!
//! With `THROUGHLINE_TEST_KAFKA` set, that broker is used and never started or stopped from here. With `--docker` the image of
//! Apache Kafka runs instead of Java and Maven.

use std::process::{Command, ExitCode};

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use throughline_testkit::broker::{BROKER_VARIABLE, Development, KAFKA_VERSION, Standing, answers};

use crate::steps;

const CONTAINER: &str = "throughline-kafka";

/// What to do with the development broker.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Start it unless it runs; returns when it answers
    Start(Place),
    /// Stop it; its topics stay
    Stop {
        #[command(flatten)]
        place: Place,
        /// Remove its topics too
        #[arg(long)]
        purge: bool,
    },
    /// Say whether it runs and answers; exit code 1 when it does not answer
    Status(Place),
}

/// Where the development broker is.
#[derive(Debug, Args)]
pub struct Place {
    /// Port on 127.0.0.1
    #[arg(long, default_value_t = 9092)]
    port: u16,
    /// Run the image apache/kafka in Docker instead of Java
    #[arg(long)]
    docker: bool,
}

/// Carries out one action.
pub fn run(action: &Action) -> Result<ExitCode> {
    if let Ok(address) = std::env::var(BROKER_VARIABLE) {
        return Ok(report_foreign(action, &address));
    }
    match action {
        Action::Start(place) if place.docker => start_container(place.port),
        Action::Start(place) => start(&Development::at(place.port)),
        Action::Stop { place, .. } if place.docker => {
            steps::forward(Command::new("docker").args(["rm", "-f", CONTAINER]))
        }
        Action::Stop { place, purge } => stop(&Development::at(place.port), *purge),
        Action::Status(place) => Ok(status(&Development::at(place.port))),
    }
}

fn report_foreign(action: &Action, address: &str) -> ExitCode {
    let there = answers(address);
    let verb = if there { "answers" } else { "does not answer" };
    println!("{BROKER_VARIABLE} names {address}, which {verb}");
    if matches!(action, Action::Stop { .. }) {
        println!("it was not started from here and is left alone");
        return ExitCode::SUCCESS;
    }
    if there { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn start(broker: &Development) -> Result<ExitCode> {
    if broker.standing() == Standing::Foreign {
        bail!("another broker answers at {}; choose another --port", broker.bootstrap());
    }
    match broker.start() {
        Ok(pid) => {
            println!("Apache Kafka {KAFKA_VERSION} answers at {} (process {pid})", broker.bootstrap());
            println!("log: {}", broker.log().display());
            println!("stop it with: cargo xtask kafka stop");
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => bail!("failed to {error}"),
    }
}

fn stop(broker: &Development, purge: bool) -> Result<ExitCode> {
    match broker.stop(purge) {
        Ok(true) => println!("stopped"),
        Ok(false) => println!("no development broker was running"),
        Err(error) => bail!("failed to {error}"),
    }
    Ok(ExitCode::SUCCESS)
}

fn status(broker: &Development) -> ExitCode {
    let address = broker.bootstrap();
    match broker.standing() {
        Standing::Answering { pid } => {
            println!("Apache Kafka {KAFKA_VERSION} answers at {address} (process {pid})");
            return ExitCode::SUCCESS;
        }
        Standing::Foreign => {
            println!("a broker that was not started from here answers at {address}");
            return ExitCode::SUCCESS;
        }
        Standing::Silent { pid } => {
            println!("process {pid} runs and does not answer at {address} (log: {})", broker.log().display());
        }
        Standing::Stopped => println!("no broker at {address}; start one with: cargo xtask kafka start"),
    }
    ExitCode::FAILURE
}

fn start_container(port: u16) -> Result<ExitCode> {
    let publish = format!("127.0.0.1:{port}:9092");
    let image = format!("apache/kafka:{KAFKA_VERSION}");
    let code = steps::forward(Command::new("docker").args(["run", "-d", "--name", CONTAINER, "-p", &publish, &image]))?;
    println!("127.0.0.1:{port} answers within seconds; see: cargo xtask kafka status --port {port}");
    Ok(code)
}
