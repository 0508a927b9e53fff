//! Which rules of all services are asked for: searched, filtered, sorted, and a page of them.

use crate::access::{Methods, Rule, RuleId};
use crate::admin::query::Query;
use crate::analysis::{in_words, methods_in_words};
use crate::config::{Origin, ServiceView};
use crate::rates::Rate;
use crate::telemetry::metrics::{HitCounts, RuleHits};

/// What the lists of rules know.
pub(super) const PARAMETERS: &[&str] = &["q", "service", "show", "sort", "offset", "limit"];

/// What is asked for.
pub(super) struct Selection {
    /// Words that must all occur, in lower case.
    words: Vec<String>,
    service: String,
    show: Show,
    sort: Sort,
    offset: usize,
    limit: usize,
}

/// One rule of one service, or what becomes of the requests that none covers.
pub(super) struct Found<'a> {
    pub(super) service: &'a ServiceView<'a>,
    pub(super) rule: Option<RuleId>,
    pub(super) hits: RuleHits,
}

/// One page of them.
pub(super) struct RulesPage<'a> {
    /// All that were found, on every page.
    pub(super) total: usize,
    pub(super) offset: usize,
    pub(super) rules: Vec<Found<'a>>,
}

#[derive(Clone, Copy)]
enum Show {
    All,
    Hit,
    Unused,
    Denied,
    Reported,
}

#[derive(Clone, Copy)]
enum Sort {
    File,
    Hits,
    Denied,
    Reported,
}

const SHOW: [(&str, Show); 5] = [
    ("all", Show::All),
    ("hit", Show::Hit),
    ("unused", Show::Unused),
    ("denied", Show::Denied),
    ("reported", Show::Reported),
];

const SORT: [(&str, Sort); 4] = [
    ("file", Sort::File),
    ("hits", Sort::Hits),
    ("denied", Sort::Denied),
    ("reported", Sort::Reported),
];

impl Selection {
    /// Reads what is asked for.
    ///
    /// # Errors
    /// What to write instead.
    pub(super) fn of(query: &Query) -> Result<Self, String> {
        let words = query.text("q").to_lowercase();
        Ok(Self {
            words: words.split_whitespace().map(str::to_owned).collect(),
            service: query.text("service").to_owned(),
            show: query.choice("show", &SHOW)?,
            sort: query.choice("sort", &SORT)?,
            offset: query.number("offset", 0)?,
            limit: query.limit(50, 200)?,
        })
    }

    /// The rules that are asked for, in the order of the file where no other is asked for.
    pub(super) fn select<'a>(
        &self,
        services: &'a [ServiceView<'a>],
        hits: &HitCounts,
    ) -> RulesPage<'a> {
        let services = services
            .iter()
            .filter(|view| self.service.is_empty() || self.service == view.name);
        let all = services.flat_map(|view| {
            let rules = (0..)
                .map(RuleId)
                .zip(view.policy.rules())
                .map(|(id, rule)| (Some(id), &*rule.name));
            rules.chain([(None, "")]).map(|(rule, name)| Found {
                service: view,
                rule,
                hits: hits.of(view.name, name),
            })
        });
        let mut found: Vec<_> = all
            .filter(|found| self.shows(found) && self.matches(found))
            .collect();
        let count = |found: &Found<'_>| match self.sort {
            Sort::File => 0,
            Sort::Hits => found.hits.total(),
            Sort::Denied => found.hits.denied(),
            Sort::Reported => found.hits.reported(),
        };
        // stable: equal ones stay in the order of the file
        found.sort_by_key(|found| std::cmp::Reverse(count(found)));
        let total = found.len();
        let rules = found
            .into_iter()
            .skip(self.offset)
            .take(self.limit)
            .collect();
        RulesPage {
            total,
            offset: self.offset,
            rules,
        }
    }

    fn shows(&self, found: &Found<'_>) -> bool {
        // nobody looks for what has never happened and has no line
        let happened = found.rule.is_some() || found.hits.total() > 0;
        happened
            && match self.show {
                Show::All => true,
                Show::Hit => found.hits.total() > 0,
                Show::Unused => found.hits.total() == 0,
                Show::Denied => found.hits.denied() > 0,
                Show::Reported => found.hits.reported() > 0,
            }
    }

    fn matches(&self, found: &Found<'_>) -> bool {
        if self.words.is_empty() {
            return true;
        }
        let text = found.text().to_lowercase();
        self.words.iter().all(|word| text.contains(word))
    }
}

impl<'a> Found<'a> {
    /// The rule; `None` for the requests that none covers.
    pub(super) fn rule(&self) -> Option<&'a Rule> {
        self.rule.map(|id| self.service.policy.rule(id))
    }

    /// Its rate; where no rule covers a request that of the service.
    pub(super) fn rate(&self) -> Option<Rate> {
        match self.rule {
            Some(id) => self.service.rates.of_rule(id.0),
            None => self.service.rates.service,
        }
    }

    /// Where the rule stands.
    pub(super) fn origin(&self) -> Option<&'a Origin> {
        self.rule
            .and_then(|id| self.service.origins.get(id.0 as usize))
    }

    /// The methods it covers; `None`: all.
    pub(super) fn methods(&self) -> Option<Vec<&'a str>> {
        match &self.rule()?.methods {
            Methods::All => None,
            Methods::Only(methods) => Some(methods.iter().map(http::Method::as_str).collect()),
        }
    }

    /// Everything that is searched.
    fn text(&self) -> String {
        let Some(rule) = self.rule() else {
            return format!("{} no rule", self.service.name);
        };
        let place = self
            .origin()
            .map(|origin| format!("{}:{}", origin.file.display(), origin.line));
        [
            self.service.name,
            &rule.name,
            rule.pattern.source(),
            &methods_in_words(&rule.methods),
            &in_words(&rule.requirement),
            place.as_deref().unwrap_or_default(),
        ]
        .join(" ")
    }
}
