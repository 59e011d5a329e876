//! `cargo xtask bench`: see `README.md`.

#![allow(clippy::print_stdout, clippy::print_stderr)] // A program that measures says what it saw.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use clap::{Args, Parser, Subcommand, ValueEnum};
use throughline_benches::copy;
use throughline_benches::deployment::{Cluster, Encoding, Outputs};
use throughline_benches::measure::Bench;
use throughline_benches::measure::score::{Run, Source};
use throughline_benches::peers::system::{self, System};
use throughline_benches::peers::{self, Plan};
use throughline_benches::report::{Report, median};
use throughline_stages::stages;
use throughline_testkit::broker::{Broker, BrokerOptions};
use throughline_testkit::registry::Registry;

/// Records per second at which latencies are compared: about half of what the slowest peer can do on two cores.
const PEERS_RATE: f64 = 10_000.0;

/// Measures the service on a real Kafka beside a bare transactional copy.
#[derive(Debug, Parser)]
#[command(name = "bench")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Sub>,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Subcommand)]
enum Sub {
    /// The yardstick, started by the measurement itself
    #[command(hide = true)]
    Copy(CopyOptions),
    /// CPU time of both processors alone, in this thread, without Kafka
    Stages(StageOptions),
}

/// The allocator of the service.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Debug, Args)]
struct Options {
    /// Source records of each run
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// Customers, all equally likely
    #[arg(long, default_value_t = 100_000)]
    keys: u32,
    /// Runs, alternating with the copy; figures are medians
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Only one measurement
    #[arg(long, value_enum)]
    only: Option<Only>,
    /// Partitions of the source, the copy and the service's topics
    #[arg(long, default_value_t = 32)]
    partitions: u32,
    /// Customers of the memory measurement
    #[arg(long, default_value_t = 1_000_000)]
    customers: u32,
    /// Records per second of the latency measurement [default: half of what goes through while it is written, with --peers
    /// 10000 for everybody]
    #[arg(long)]
    rate: Option<f64>,
    /// Seconds of the latency measurement after its warm-up
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// The score job on Kafka Streams and Flink beside the service and the copy, and nothing else
    #[arg(long, conflicts_with = "only")]
    peers: bool,
    /// With --peers: only these, by name; more than one may be given
    #[arg(long, requires = "peers", value_name = "NAME", value_parser = system::named)]
    peer: Vec<(&'static str, System)>,
    /// With --peers: measure latency too, everybody at the same pace
    #[arg(long, requires = "peers")]
    latency: bool,
    /// With --peers: sets one setting of the engines, to see what it gives them: producer.linger.ms=50
    #[arg(long, requires = "peers", value_name = "NAME=VALUE")]
    peer_set: Vec<String>,
    /// With --peers: prove on a small run that all systems end with the same scores, and measure nothing
    #[arg(long, requires = "peers")]
    check: bool,
    /// Seed of the generator
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// A running broker, host:port [default: one of its own]
    #[arg(long)]
    brokers: Option<String>,
    /// The binary to measure [default: built by cargo]
    #[arg(long)]
    program: Option<PathBuf>,
    /// Sets one key of the service's configuration, to see what it costs: commit.interval=25ms
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Ends with one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    /// The score job and the copy
    Score,
    /// Latency at half of saturation
    Latency,
    /// Resident bytes per customer
    Memory,
    /// Every output on
    AllOn,
    /// Starts on --keys keys of state, from the changelog and from the local log; only when asked for
    Restore,
    /// Kills one of two processes that share --keys keys of state; only when asked for
    Takeover,
}

#[derive(Debug, Args)]
struct CopyOptions {
    #[arg(long)]
    brokers: String,
    #[arg(long)]
    source: String,
    #[arg(long)]
    target: String,
    #[arg(long)]
    group: String,
    #[arg(long)]
    partitions: u32,
    #[arg(long)]
    records: u64,
}

#[derive(Debug, Args)]
struct StageOptions {
    /// Source records of each pass
    #[arg(long, default_value_t = 500_000)]
    records: usize,
    /// Customers, all equally likely
    #[arg(long, default_value_t = 100_000)]
    keys: u32,
    /// Touchpoints of a transaction of the second stage
    #[arg(long, default_value_t = 90_000)]
    batch: usize,
    /// Passes
    #[arg(long, default_value_t = 3)]
    runs: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        Some(Sub::Copy(copy)) => run_copy(copy),
        Some(Sub::Stages(options)) => {
            run_stages(options);
            Ok(())
        }
        None => measure(&arguments.options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("failed to {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run_copy(options: &CopyOptions) -> Result<()> {
    let cluster = Cluster { brokers: options.brokers.clone(), registry: String::new(), partitions: options.partitions };
    let copied = copy::run(&cluster, &options.source, &options.target, &options.group, options.records)?;
    println!("{}", serde_json::to_string(&copied)?);
    Ok(())
}

fn run_stages(options: &StageOptions) {
    for _ in 0..options.runs {
        let costs = stages::measure(options.records, options.keys, options.batch, 1);
        println!(
            "CPU seconds per million records: normalize {:.3}, experience {:.3}; a record: {:.0} bytes of frames, {:.2} \
             outputs of {:.0} bytes in all",
            costs.normalize, costs.experience, costs.frame_bytes, costs.outputs, costs.output_bytes
        );
    }
}

fn measure(options: &Options) -> Result<()> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => build()?,
    };
    let broker = match options.brokers {
        Some(_) => None,
        None => Some(Broker::start(&BrokerOptions { heap_mib: 1_024, ..BrokerOptions::default() })?),
    };
    let brokers = broker.as_ref().map(|broker| broker.bootstrap().to_owned());
    let registry = Registry::start();
    let bench = Bench {
        cluster: Cluster {
            brokers: options.brokers.clone().or(brokers).unwrap_or_default(),
            registry: registry.url(),
            partitions: options.partitions,
        },
        program,
        own: std::env::current_exe().context("find this program")?,
        keys: options.keys,
        seed: options.seed,
        set: options.set.clone(),
    };
    if options.peers {
        return compare(&bench, options);
    }
    let wants = |only| options.only.is_none() || options.only == Some(only);
    let mut report = Report::default();
    report.note("records", options.records.into());
    report.note("keys", options.keys.into());
    report.note("runs", options.runs.into());
    report.note("partitions", options.partitions.into());
    if wants(Only::Score) || wants(Only::AllOn) {
        eprintln!("writing {} records of {} customers", options.records, options.keys);
        let source = bench.source(options.records)?;
        report.note("source_bytes_mean", source.bytes_mean.round().into());
        if wants(Only::Score) {
            score(&bench, &source, options.runs, &mut report)?;
        }
        if wants(Only::AllOn) {
            all_on(&bench, &source, options.runs, &mut report)?;
        }
        bench.cluster.remove(std::slice::from_ref(&source.topic));
    }
    if wants(Only::Latency) {
        let rate = match options.rate {
            Some(rate) => rate,
            None => {
                let speed = bench.live_speed(options.records)?;
                report.add("live_records_per_second", "records per second while they are written", speed, 0, None);
                speed / 2.0
            }
        };
        latency(&bench, rate, Duration::from_secs(options.seconds), &mut report)?;
    }
    if wants(Only::Memory) {
        memory(&bench, options.customers, &mut report)?;
    }
    if options.only == Some(Only::Restore) {
        restore(&bench, options.keys, &mut report)?;
    }
    if options.only == Some(Only::Takeover) {
        takeover(&bench, options.keys, options.rate.unwrap_or(PEERS_RATE), &mut report)?;
    }
    println!("{}", report.table());
    if options.json {
        println!("{}", report.json());
    }
    Ok(())
}

fn compare(bench: &Bench, options: &Options) -> Result<()> {
    let programs = peers::build::Programs::build(&options.peer_set)?;
    let systems = if options.peer.is_empty() { system::ALL.to_vec() } else { options.peer.clone() };
    if options.check {
        return peers::check::check(bench, &programs, &systems);
    }
    eprintln!("writing {} records of {} customers", options.records, options.keys);
    let source = bench.source(options.records)?;
    let pace = options.rate.unwrap_or(PEERS_RATE);
    let latency = options.latency.then_some((pace, Duration::from_secs(options.seconds)));
    let plan = Plan { runs: options.runs, latency };
    let (table, lines) = peers::measure(bench, &programs, &systems, &source, plan)?;
    bench.cluster.remove(std::slice::from_ref(&source.topic));
    println!("{table}");
    if options.json {
        print!("{lines}");
    }
    Ok(())
}

/// Builds the release binary and returns where it is: beside this one.
fn build() -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["build", "--release", "--package", "throughline", "--bin", "throughline"])
        .status()
        .context("run cargo")?;
    ensure!(status.success(), "cargo ended with {status}");
    let own = std::env::current_exe().context("find this program")?;
    Ok(own.with_file_name("throughline"))
}

fn score(bench: &Bench, source: &Source, runs: usize, report: &mut Report) -> Result<()> {
    let millions = source.records as f64 / 1e6;
    let (mut copies, mut jobs, mut ratios, mut speeds, mut copy_speeds) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..runs {
        let copied = bench.copy(source)?;
        let copy = copied.cpu_seconds / millions;
        eprintln!("copy: {copy:.2} CPU s per million, {:.0} records/s", source.records as f64 / copied.seconds);
        let job = run(bench, source, Outputs::Scores, Encoding::Avro, "score job")?;
        let cpu = job.drained.cpu_seconds / millions;
        ratios.push(cpu / copy);
        copies.push(copy);
        copy_speeds.push(source.records as f64 / copied.seconds);
        jobs.push(cpu);
        speeds.push(job.drained.records_per_second);
    }
    let json = run(bench, source, Outputs::Scores, Encoding::Json, "score job in JSON")?;
    let middle = |measured: &[f64]| median(measured).context("at least one run");
    let speed = middle(&speeds)?;
    report.add(
        "throughline_cpu_seconds_per_million",
        "score job: CPU seconds per million touchpoints",
        middle(&jobs)?,
        2,
        Some(5.0),
    );
    report.add("copy_cpu_seconds_per_million", "bare transactional copy: the same", middle(&copies)?, 2, None);
    report.add("ratio", "score job against the copy, median of pairs", middle(&ratios)?, 2, Some(1.8));
    report.add("touchpoints_per_second", "score job: touchpoints per second", speed, 0, None);
    report.add("copy_records_per_second", "copy: records per second", middle(&copy_speeds)?, 0, None);
    report.add(
        "json_cpu_seconds_per_million",
        "score job with JSON outputs: CPU seconds per million",
        json.drained.cpu_seconds / millions,
        2,
        None,
    );
    report.note("throughline_cpu_seconds_per_million_runs", jobs.into());
    report.note("copy_cpu_seconds_per_million_runs", copies.into());
    Ok(())
}

fn all_on(bench: &Bench, source: &Source, runs: usize, report: &mut Report) -> Result<()> {
    let mut cpu = Vec::new();
    for _ in 0..runs {
        let all = run(bench, source, Outputs::All, Encoding::Avro, "everything on")?;
        cpu.push(all.drained.cpu_seconds / (source.records as f64 / 1e6));
    }
    let middle = median(&cpu).context("at least one run")?;
    let what = "everything on: CPU seconds per million touchpoints";
    report.add("all_on_cpu_seconds_per_million", what, middle, 2, Some(9.0));
    Ok(())
}

fn run(bench: &Bench, source: &Source, outputs: Outputs, encoding: Encoding, name: &str) -> Result<Run> {
    let run = bench.run(source, outputs, encoding)?;
    let cpu = run.drained.cpu_seconds / (source.records as f64 / 1e6);
    eprintln!("{name}: {cpu:.2} CPU s per million, {:.0} records/s", run.drained.records_per_second);
    let mut threads: Vec<_> = run.threads.iter().filter(|(_, seconds)| **seconds >= 0.05).collect();
    threads.sort_by(|left, right| right.1.total_cmp(left.1));
    let threads: Vec<String> = threads.iter().map(|(name, seconds)| format!("{name} {seconds:.2}")).collect();
    eprintln!("  CPU seconds by thread: {}", threads.join(", "));
    Ok(run)
}

fn latency(bench: &Bench, rate: f64, duration: Duration, report: &mut Report) -> Result<()> {
    eprintln!("latency at {rate:.0} records/s");
    let latency = bench.latency(rate, duration)?;
    report.add("latency_p50_ms", "append to read-committed score, p50 ms", latency.p50, 0, None);
    report.add("latency_p99_ms", "the same, p99 ms", latency.p99, 0, Some(500.0));
    report.add("latency_max_ms", "the same, slowest ms", latency.max, 0, None);
    report.note("latency_records_per_second", rate.round().into());
    report.note("latency_counted", latency.counted.into());
    report.note("latency_missing", latency.missing.into());
    Ok(())
}

fn restore(bench: &Bench, keys: u32, report: &mut Report) -> Result<()> {
    let restore = bench.restore(keys.into())?;
    report.note("restore_keys", restore.keys.into());
    report.note("restore_bytes", restore.bytes.into());
    let starts = [
        ("changelog", "restore from the changelog", restore.changelog, 500_000.0),
        ("first_log", "the same, writing a new local log", restore.first, 500_000.0),
        ("local_log", "restart with the local log", restore.local, 2_000_000.0),
    ];
    for (name, what, start, target) in starts {
        let (per_second, per_cpu_second) = restore.rates(&start);
        let met = |rate: f64| if rate >= target { "met" } else { "missed" };
        let (key, text) = (format!("restore_{name}_keys_per_second"), format!("{what}: keys per second"));
        report.add(&key, &text, per_second, 0, None);
        let key = format!("restore_{name}_keys_per_cpu_second");
        let text = format!("{what}: keys per CPU second (at least {target}: {})", met(per_cpu_second));
        report.add(&key, &text, per_cpu_second, 0, None);
        let resident = start.resident as f64 / restore.keys as f64;
        report.add(
            &format!("restore_{name}_bytes_per_key"),
            &format!("{what}: resident bytes per key"),
            resident,
            0,
            None,
        );
    }
    Ok(())
}

fn takeover(bench: &Bench, keys: u32, rate: f64, report: &mut Report) -> Result<()> {
    let takeover = bench.takeover(keys.into(), rate)?;
    report.note("takeover_keys", takeover.keys.into());
    report.note("takeover_partitions", takeover.partitions.into());
    report.note("takeover_records_per_second", rate.round().into());
    let rows = [
        ("takeover_first_ms", "kill to the first new score of a partition that moved, ms", takeover.first, None),
        ("takeover_last_ms", "the same for the last such partition, ms", takeover.last, Some(20_000.0)),
        ("stayed_before_p99_ms", "partitions that stayed: p99 before the kill, ms", takeover.before, None),
        ("stayed_during_p99_ms", "the same from the kill to the end of the takeover, ms", takeover.during, None),
        ("stayed_during_max_ms", "the slowest of them, ms", takeover.during_max, None),
    ];
    for (key, what, value, target) in rows {
        report.add(key, what, value, 0, target);
    }
    Ok(())
}

fn memory(bench: &Bench, customers: u32, report: &mut Report) -> Result<()> {
    eprintln!("loading {customers} customers");
    let memory = bench.memory(customers)?;
    let mib = |bytes: u64| (bytes / (1 << 20)).into();
    report.add(
        "resident_bytes_per_customer",
        "resident bytes per customer after the load",
        memory.bytes_per_customer(),
        0,
        Some(1_000.0),
    );
    let restored = memory.restored_bytes_per_customer();
    report.add("restored_bytes_per_customer", "resident bytes per customer after a restore", restored, 0, None);
    report.add("restore_seconds", "seconds to restore", memory.restore_seconds, 1, None);
    report.note("resident_mib_empty", mib(memory.empty));
    report.note("resident_mib_loaded", mib(memory.loaded));
    Ok(())
}
