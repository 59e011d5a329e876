//! The jars of Apache Kafka, fetched once by Maven into `target/kafka`, and the Java commands that run them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{BrokerError, unique_name};

/// The Kafka release that tests run against.
pub const KAFKA_VERSION: &str = "4.3.0";

/// `log4j-slf4j-impl` because Kafka brings slf4j 1.7.
const POM: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>throughline</groupId>
  <artifactId>development-broker</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>KAFKA_VERSION</version>
    </dependency>
    <dependency>
      <groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId>
      <version>2.24.3</version>
    </dependency>
  </dependencies>
</project>
"#;

/// Any valid id does: a broker of ours never meets another cluster.
const CLUSTER_ID: &str = "VGhyb3VnaGxpbmVUZXN0cw";

/// A folder with the jars of [`KAFKA_VERSION`].
#[derive(Debug, Clone)]
pub struct Distribution {
    jars: PathBuf,
}

impl Distribution {
    /// The jars under `target/kafka`, fetched by Maven when they are not there yet. Several processes may call this at once:
    /// each fetches into a folder of its own, and the first rename wins.
    pub fn fetch() -> Result<Self, BrokerError> {
        require("java", "a Java 17 runtime")?;
        let root = target_folder().join("kafka");
        let jars = root.join(format!("kafka-{KAFKA_VERSION}"));
        if jars.is_dir() {
            return Ok(Self { jars });
        }
        require("mvn", "Maven")?;
        let scratch = root.join(unique_name("fetch"));
        std::fs::create_dir_all(&scratch).map_err(BrokerError::files("create", &scratch))?;
        let fetched = copy_jars(&scratch).and_then(|fetched| match std::fs::rename(&fetched, &jars) {
            Err(_) if jars.is_dir() => Ok(()),
            outcome => outcome.map_err(BrokerError::files("rename the jars to", &jars)),
        });
        let _ = std::fs::remove_dir_all(&scratch);
        fetched.map(|()| Self { jars })
    }

    /// Prepares the log folder that `server.properties` in `folder` names.
    pub(crate) fn format(&self, folder: &Path) -> Result<(), BrokerError> {
        let mut command = self.java(&["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]);
        command.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]);
        command.arg(folder.join("server.properties"));
        run("the storage tool of Kafka", &mut command)
    }

    /// The command that runs the broker whose `server.properties` lies in `folder`.
    pub(crate) fn server(&self, heap_mib: u32, folder: &Path) -> Command {
        let heap = format!("-Xmx{heap_mib}m");
        let logging = format!("-Dlog4j2.configurationFile={}", folder.join("log4j2.properties").display());
        let mut command = self.java(&[&heap, "-XX:+UseSerialGC", &logging]);
        command.arg("kafka.Kafka").arg(folder.join("server.properties"));
        command
    }

    fn java(&self, options: &[&str]) -> Command {
        let mut command = Command::new("java");
        command.args(options).arg("-cp").arg(self.jars.join("*"));
        command
    }
}

/// The `target` folder of this workspace.
pub(crate) fn target_folder() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("this crate lies in crates/ of the workspace").join("target")
}

fn copy_jars(scratch: &Path) -> Result<PathBuf, BrokerError> {
    let pom = scratch.join("pom.xml");
    std::fs::write(&pom, POM.replace("KAFKA_VERSION", KAFKA_VERSION)).map_err(BrokerError::files("write", &pom))?;
    let jars = scratch.join("jars");
    let mut maven = Command::new("mvn");
    maven.args(["-q", "-B", "dependency:copy-dependencies"]);
    maven.arg(format!("-DoutputDirectory={}", jars.display()));
    maven.current_dir(scratch);
    run("Maven (fetching the jars of Kafka)", &mut maven)?;
    Ok(jars)
}

fn require(program: &'static str, package: &'static str) -> Result<(), BrokerError> {
    match Command::new(program).arg("-version").stdin(Stdio::null()).output() {
        Ok(_) => Ok(()),
        Err(_) => Err(BrokerError::ProgramMissing { program, package }),
    }
}

fn run(step: &'static str, command: &mut Command) -> Result<(), BrokerError> {
    let program = PathBuf::from(command.get_program());
    let output = command.stdin(Stdio::null()).output().map_err(BrokerError::files("run", &program))?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let line = text.lines().rev().find(|line| line.contains("ERROR")).or_else(|| text.lines().next_back());
    Err(BrokerError::StepFailed { step, status: output.status, output: line.unwrap_or("no output").to_owned() })
}
