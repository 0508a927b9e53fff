//! `gatelatch explain`: what becomes of a request, and why.

mod json;
mod lines;
mod live;
mod show;
mod subject;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::Value;

use self::live::Live;
use self::subject::SubjectArgs;
use super::format::Format;
use super::load;
use super::printing::{print, say};
use super::terminal::Progress;
use crate::access::{Decision, Mode};
use crate::analysis::simulation::{
    SimulatedCaller, SimulatedDestination, SimulatedRejection, SimulatedRequest, SimulatedVerdict,
    Simulation,
};
use crate::analysis::{self, Explanation};
use crate::config::{Config, Service};
use crate::rates::{LimitedBy, Rate};
use crate::wire::Target;

/// Say what becomes of a request, and why
///
/// Asks the same policy that decides requests: which service answers, the one spelling of the path, the rule that wins
/// with file and line, what each of its conditions asks and what the caller has, the rules it beats and why, and what
/// would have to change for the request to be allowed. Nothing is sent.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 allowed, 3 unauthenticated, 4 forbidden, 5 refused before a rule (400, 404); of many \
requests, the highest. 1 where something cannot be made out.

Examples:
  gatelatch explain GET /jobs
  gatelatch explain POST https://jobs.example.com/jobs --as alice@example.com
  gatelatch explain DELETE /jobs/7 --roles recruiter,admin --claims tenant=acme,level=3
  gatelatch explain GET /internal/metrics --address 10.1.2.3 --format json
  gatelatch explain POST /jobs --live
  gatelatch explain MOVE /dav/a --destination /dav/b --as alice@example.com
  printf 'GET /jobs\\nPOST /jobs --as carl\\n' | gatelatch explain -"
)]
pub(super) struct ExplainArgs {
    /// The method, in upper case; `-` reads lines `METHOD URL [--as USER]` from standard input
    method: String,

    /// A path, or a whole URL where services have hosts
    url: Option<String>,

    /// WebDAV's `Destination` of a COPY or MOVE: a path, or a whole URL where the request is one
    #[arg(long, value_name = "URL")]
    destination: Option<String>,

    #[command(flatten)]
    subject: SubjectArgs,

    /// How it is printed; JSON is one object a line where requests are read from standard input
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,

    /// Also ask the admin listener of the running gateway how often the rule has decided, and what
    #[arg(long)]
    live: bool,
}

/// What the answer is built from.
struct Question<'a> {
    config: &'a Config,
    simulation: Simulation<'a>,
    format: Format,
    layout: Layout,
    live: Option<Live>,
}

/// Whether what is printed stands alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    /// It does.
    Alone,
    /// It is one of many: an empty line ends a report, and JSON is one object a line.
    OneOfMany,
}

/// What becomes of a request, as far as it is known before it is printed.
enum Found<'a> {
    Refused(&'a SimulatedRejection),
    Own(&'a Target),
    Decided {
        service: &'a Service,
        target: &'a Target,
        explanation: &'a Explanation,
        /// That of the `Destination`.
        destination: Option<&'a Explanation>,
    },
}

pub(super) fn run(args: &ExplainArgs, path: &Path) -> anyhow::Result<ExitCode> {
    let progress = Progress::start(&format!("loading {}", path.display()));
    let config = load::load_to_look(path)?;
    drop(progress);
    let layout = match &*args.method {
        "-" => Layout::OneOfMany,
        _ => Layout::Alone,
    };
    // the decision is the files', whether a gateway runs or not
    let asked = args.live.then(|| ask_live(&config));
    let (live, unanswered) = match asked.transpose() {
        Ok(live) => (live, None),
        Err(error) => (None, Some(error)),
    };
    let question = Question {
        config: &config,
        simulation: config.simulation(),
        format: args.format,
        layout,
        live,
    };
    let code = answer(args, &question)?;
    unanswered.map_or(Ok(code), Err)
}

fn answer(args: &ExplainArgs, question: &Question<'_>) -> anyhow::Result<ExitCode> {
    match (args.method.as_str(), &args.url) {
        ("-", None) => lines::explain(question, &args.subject, std::io::stdin().lock()),
        ("-", Some(_)) | (_, None) => {
            let usage =
                "a method and a URL are needed, or `-` alone to read requests from standard input";
            say(&format!("error: {usage}; see `gatelatch explain --help`"))?;
            Ok(ExitCode::from(2))
        }
        (method, Some(url)) => {
            let request =
                SimulatedRequest::new(method, url)?.with_destination(args.destination.as_deref());
            let subject = args.subject.resolve(question.config)?;
            let (text, verdict) = question.answer(&request, &subject);
            print(&text)?;
            Ok(ExitCode::from(exit_code(verdict)))
        }
    }
}

fn ask_live(config: &Config) -> anyhow::Result<Live> {
    Live::ask(
        config
            .admin
            .context("`admin.listen` is `off`: there is nobody to ask")?,
    )
}

fn exit_code(verdict: SimulatedVerdict) -> u8 {
    match verdict {
        SimulatedVerdict::Allowed => 0,
        SimulatedVerdict::Unauthenticated => 3,
        SimulatedVerdict::Forbidden => 4,
        SimulatedVerdict::BadRequest | SimulatedVerdict::NotFound => 5,
    }
}

impl Question<'_> {
    /// The report, and the verdict that it ends with.
    fn answer(
        &self,
        request: &SimulatedRequest,
        subject: &SimulatedCaller,
    ) -> (String, SimulatedVerdict) {
        match self.simulation.find(request) {
            Err(refusal) => (
                self.print(request, subject, &Found::Refused(&refusal)),
                refusal.verdict(),
            ),
            Ok(SimulatedDestination::Own(target)) => (
                self.print(request, subject, &Found::Own(&target)),
                SimulatedVerdict::Allowed,
            ),
            Ok(SimulatedDestination::Service(index, target)) => {
                let service = &self.config.services[index];
                let explain = |path| {
                    analysis::explain(&service.policy, &target.method, path, &subject.caller)
                };
                let explanation = explain(&target.path);
                let destination = target.destination.as_ref().map(explain);
                let found = Found::Decided {
                    service,
                    target: &target,
                    explanation: &explanation,
                    destination: destination.as_ref(),
                };
                let decision = deciding(&explanation, destination.as_ref());
                (
                    self.print(request, subject, &found),
                    SimulatedVerdict::of(&decision.decision),
                )
            }
        }
    }

    fn hits_in_words(&self, found: &Found<'_>) -> String {
        let (
            Some(live),
            Found::Decided {
                service,
                explanation,
                ..
            },
        ) = (&self.live, found)
        else {
            return String::new();
        };
        format!(
            "\n{}\n",
            live.in_words(&service.name, rule_name(service, explanation))
        )
    }

    fn add_hits(&self, mut report: Value, found: &Found<'_>) -> Value {
        if let (
            Some(live),
            Found::Decided {
                service,
                explanation,
                ..
            },
        ) = (&self.live, found)
        {
            report["live"] = live
                .hits(&service.name, rule_name(service, explanation))
                .json();
        }
        report
    }

    fn print(
        &self,
        request: &SimulatedRequest,
        subject: &SimulatedCaller,
        found: &Found<'_>,
    ) -> String {
        let json = || self.add_hits(json::report(self.config, request, subject, found), found);
        let text =
            || show::report(self.config, request, subject, found) + &self.hits_in_words(found);
        match (self.format, self.layout) {
            (Format::Text, Layout::Alone) => text(),
            (Format::Text, Layout::OneOfMany) => text() + "\n",
            (Format::Json, Layout::Alone) => format!("{:#}\n", json()),
            (Format::Json, Layout::OneOfMany) => format!("{}\n", json()),
        }
    }
}

/// The explanation that the verdict is that of: the path's, or where that is allowed, the `Destination`'s.
fn deciding<'e>(path: &'e Explanation, destination: Option<&'e Explanation>) -> &'e Explanation {
    destination
        .filter(|_| matches!(path.decision, Decision::Allow(_)))
        .unwrap_or(path)
}

/// The name of the rule that decides.
fn rule_name<'s>(service: &'s Service, explanation: &Explanation) -> Option<&'s str> {
    explanation
        .winner
        .as_ref()
        .map(|winner| &*service.policy.rule(winner.rule).name)
}

/// The rates that count the request, where it is allowed.
fn rates(service: &Service, explanation: &Explanation) -> impl Iterator<Item = (LimitedBy, Rate)> {
    let rule = explanation.winner.as_ref();
    let of_rule = rule.and_then(|winner| service.rates.of_rule(winner.rule.0));
    let of_rule = of_rule.map(|rate| (LimitedBy::Rule, rate));
    let of_service = service.rates.service;
    let of_service = of_service.map(|rate| (LimitedBy::Service, rate));
    of_rule.into_iter().chain(of_service)
}

/// The mode that counts for a decision.
fn mode(service: &Service, explanation: &Explanation) -> Mode {
    service
        .policy
        .mode_of(explanation.winner.as_ref().map(|winner| winner.rule))
}
