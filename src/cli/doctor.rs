//! `calferry doctor`: what is wrong with the deployment, in words or as JSON.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;

use super::language::{Lang, language};
use super::progress::Progress;
use super::{Place, words};
use crate::app::read_key;
use crate::clock::Clock;
use crate::doctor::{Detour, Examination, Finding, Language, Severity, examine, fix_heading, heading, summary};
use crate::settings::{Settings, Source};
use crate::source::roots;

/// Nothing could be looked at.
const COULD_NOT_LOOK: u8 = 2;

/// What to look at.
#[derive(Debug, Clone, Args)]
pub(super) struct Doctor {
    #[command(flatten)]
    place: Place,
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
    /// Which language to speak [default: the one of the environment].
    #[arg(long, value_enum)]
    lang: Option<Lang>,
    /// Look at the outside only.
    #[arg(long, conflicts_with = "source")]
    skip_sources: bool,
    /// Fetch only this source; may be given several times.
    #[arg(long)]
    source: Vec<String>,
    /// Connect to this address for a host and a port, such as cal.example.com:443:192.0.2.1.
    #[arg(long, value_name = "HOST:PORT:ADDRESS")]
    resolve: Vec<Detour>,
    /// Certificates that phones trust beside the system's, a PEM file.
    #[arg(long)]
    ca_file: Option<PathBuf>,
}

/// A finding as `--json` has it.
#[derive(Serialize)]
struct Told {
    name: &'static str,
    severity: &'static str,
    subject: String,
    words: String,
    fix: String,
}

/// Looks at the deployment. The exit code is 1 if there are errors, and 2 if it could not look.
pub(super) async fn doctor(doctor: &Doctor) -> ExitCode {
    match doctor.examination() {
        Ok(examination) => {
            // Many deep futures in one: not for the stack.
            let findings = Box::pin(examine(examination)).await;
            let errors = count(&findings, Severity::Error);
            // Whoever read our output has had enough of it; the exit code still counts.
            let _ = doctor.print(&findings);
            if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            for line in words(&error).lines() {
                eprintln!("calferry: {line}");
            }
            ExitCode::from(COULD_NOT_LOOK)
        }
    }
}

impl Doctor {
    fn examination(&self) -> anyhow::Result<Examination> {
        let settings = self.place.settings_in(language(self.lang))?;
        let key = read_key(&settings.state_dir)?;
        let fetch_roots = roots(settings.fetch.ca_file.as_deref()).context("fetch.ca_file")?;
        let progress = Progress::of(String::new());
        let tell = move |subject: &str| progress.now(subject);
        Ok(Examination {
            key,
            roots: roots(self.ca_file.as_deref()).context("--ca-file")?,
            fetch_roots,
            detours: self.resolve.clone(),
            sources: self.sources(&settings)?,
            clock: Clock::System,
            tell: Arc::new(tell),
            settings,
        })
    }

    fn sources(&self, settings: &Settings) -> anyhow::Result<Vec<Source>> {
        if self.skip_sources {
            return Ok(Vec::new());
        }
        for named in &self.source {
            if !settings.sources.iter().any(|source| *source.name == **named) {
                let known: Vec<_> = settings.sources.iter().map(|source| &*source.name).collect();
                bail!("no source named {named:?}; the sources are: {}", known.join(", "));
            }
        }
        let wanted =
            |source: &&Source| self.source.is_empty() || self.source.iter().any(|named| *source.name == **named);
        Ok(settings.sources.iter().filter(wanted).cloned().collect())
    }

    fn print(&self, findings: &[Finding]) -> anyhow::Result<()> {
        let language = language(self.lang);
        let mut out = std::io::stdout().lock();
        if self.json {
            let told: Vec<_> = findings.iter().map(|finding| told(finding, language)).collect();
            serde_json::to_writer_pretty(&mut out, &told)?;
            writeln!(out)?;
            return Ok(());
        }
        for finding in findings {
            let (head, told) = (heading(finding.severity, language), told(finding, language));
            writeln!(out, "[{head}] {} ({}): {}", told.subject, told.name, told.words)?;
            if !told.fix.is_empty() {
                writeln!(out, "    {}{}", fix_heading(language), told.fix)?;
            }
        }
        let (errors, warnings) = (count(findings, Severity::Error), count(findings, Severity::Warning));
        writeln!(out, "{}", summary(errors, warnings, language))?;
        Ok(())
    }
}

fn told(finding: &Finding, language: Language) -> Told {
    Told {
        name: finding.kind.name(),
        severity: finding.severity.as_str(),
        subject: finding.subject.clone(),
        words: finding.words(language),
        fix: finding.fix(language),
    }
}

fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity == severity).count()
}
