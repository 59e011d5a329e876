//! The peers' programs, built by Maven into `target/peers`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail, ensure};

/// Java 17 keeps closed what Flink looks into; its own scripts open the same packages.
const OPENED: [&str; 6] = [
    "java.base/java.lang",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.time",
];

/// Which program a peer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Module {
    /// `benches/peers/kafka-streams`.
    Streams,
    /// `benches/peers/flink`.
    Flink,
}

impl Module {
    const ALL: [Self; 2] = [Self::Streams, Self::Flink];

    const fn folder(self) -> &'static str {
        match self {
            Self::Streams => "kafka-streams",
            Self::Flink => "flink",
        }
    }

    const fn main_class(self) -> &'static str {
        match self {
            Self::Streams => "throughline.peers.streams.Main",
            Self::Flink => "throughline.peers.flink.Main",
        }
    }
}

/// Programs that are ready to run.
#[derive(Debug, Clone)]
pub struct Programs {
    target: PathBuf,
    /// Settings of the engines that go before those in their programs, `NAME=VALUE` each.
    pub set: Vec<String>,
}

impl Programs {
    /// Builds what changed since the last build; Maven fetches libraries once and keeps them.
    ///
    /// # Errors
    /// If Java or Maven is missing, or the build fails.
    pub fn build(set: &[String]) -> Result<Self> {
        require("java", "a Java 17 runtime")?;
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
        let target = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("target").join("peers");
        let programs = Self { target, set: set.to_vec() };
        let stamp = programs.target.join("built");
        if programs.are_built()
            && modified(&stamp).is_some_and(|built| newest(&sources).is_none_or(|last| last < built))
        {
            return Ok(programs);
        }
        require("mvn", "Maven")?;
        eprintln!("building the peers with Maven");
        let status = Command::new("mvn")
            .args(["-q", "-B", "package"])
            .arg(format!("-Dpeers.target={}", programs.target.display()))
            .current_dir(&sources)
            .stdin(Stdio::null())
            .status()
            .context("run Maven")?;
        ensure!(status.success(), "build the peers: Maven ended with {status}");
        std::fs::write(&stamp, "").context("note that the peers are built")?;
        Ok(programs)
    }

    /// A folder for logs and for state on disk.
    #[must_use]
    pub fn scratch(&self) -> PathBuf {
        self.target.join("runs")
    }

    /// The command that starts a program, without its own arguments. What libraries unpack goes to `scratch`.
    #[must_use]
    pub fn java(&self, module: Module, scratch: &Path) -> Command {
        let folder = self.target.join(module.folder());
        let mut command = Command::new("java");
        command.args(["-Xmx2g", "-XX:+UseG1GC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"]);
        command.arg(format!("-Djava.io.tmpdir={}", scratch.display()));
        if module == Module::Flink {
            command.args(OPENED.map(|package| format!("--add-opens={package}=ALL-UNNAMED")));
        }
        command.arg("-cp").arg(format!("{}:{}/lib/*", self.jar(module).display(), folder.display()));
        command.arg(module.main_class());
        command
    }

    fn jar(&self, module: Module) -> PathBuf {
        self.target.join(module.folder()).join(format!("{}-1.jar", module.folder()))
    }

    fn are_built(&self) -> bool {
        Module::ALL.iter().all(|module| self.jar(*module).is_file())
    }
}

fn require(program: &str, package: &str) -> Result<()> {
    match Command::new(program).arg("-version").stdin(Stdio::null()).output() {
        Ok(_) => Ok(()),
        Err(_) => bail!("run the peers, which are Java programs: `{program}` is not on the PATH; install {package}"),
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|known| known.modified()).ok()
}

/// When the last file in a folder and below was changed.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = std::fs::read_dir(folder).ok()?;
    entries
        .flatten()
        .filter_map(|entry| if entry.path().is_dir() { newest(&entry.path()) } else { modified(&entry.path()) })
        .max()
}
