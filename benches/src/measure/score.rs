//! The score job beside the copy, alternately.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use throughline_testkit::broker::unique_name;

use super::{Bench, Drained, wait_drained};
use crate::child::Child;
use crate::copy::Copied;
use crate::deployment::{Deployment, Encoding, Outputs};
use crate::feed;
use throughline_stages::generator::Generator;

/// Source records, written once and read by every run.
#[derive(Debug)]
pub struct Source {
    /// Topic.
    pub topic: String,
    /// How many.
    pub records: u64,
    /// Mean length of a value in bytes.
    pub bytes_mean: f64,
}

/// What one run of the service showed.
#[derive(Debug, Clone)]
pub struct Run {
    /// CPU time and speed.
    pub drained: Drained,
    /// CPU seconds by thread.
    pub threads: BTreeMap<String, f64>,
}

impl Bench {
    /// Writes the records that the runs read.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn source(&self, records: u64) -> Result<Source> {
        let topic = self.cluster.topic("bench-source")?;
        let bytes = feed::fill(&self.cluster, &topic, &mut Generator::new(self.seed, self.keys), records)?;
        Ok(Source { topic, records, bytes_mean: bytes as f64 / records.max(1) as f64 })
    }

    /// One run of the yardstick, as a child.
    ///
    /// # Errors
    /// If it fails.
    pub fn copy(&self, source: &Source) -> Result<Copied> {
        let target = self.cluster.topic("bench-copy")?;
        let output = Command::new(&self.own)
            .args(["copy", "--brokers", &self.cluster.brokers, "--source", &source.topic, "--target", &target])
            .args(["--group", &unique_name("bench-copy"), "--partitions", &self.cluster.partitions.to_string()])
            .args(["--records", &source.records.to_string()])
            .output()
            .context("start the copy")?;
        self.cluster.remove(&[target]);
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "the copy ended with {}: {said}", output.status);
        serde_json::from_slice(&output.stdout).context("read what the copy took")
    }

    /// One run of the service over all records, from an empty state.
    ///
    /// # Errors
    /// If it fails.
    pub fn run(&self, source: &Source, outputs: Outputs, encoding: Encoding) -> Result<Run> {
        let deployment = Deployment::new(&self.cluster, &source.topic, outputs, encoding)?;
        let mut child = Child::service(&self.program, &deployment.file, &self.set)?;
        let drained = wait_drained(&self.cluster, &deployment, &source.topic, &mut child)
            .with_context(|| format!("run the service (log: {})", deployment.file.with_extension("log").display()))?;
        let threads = child.cpu_by_thread();
        child.stop()?;
        deployment.remove(&self.cluster);
        Ok(Run { drained, threads })
    }
}
