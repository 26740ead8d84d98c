//! What is counted while the program runs, as Prometheus reads it.
//!
//! Labels are bounded: names of apps, accounts and calls, and constant words. Never a person, never free text.

mod state;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use prometheus::core::Collector;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry, TextEncoder,
};

pub use state::{Account, Queue, State};

/// From 25 µs, which understanding takes, to 5 s, after which WeCom has given up.
const SECONDS: [f64; 17] = [
    0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0,
    2.5, 5.0,
];

/// From a hundredth of a second, which an answer takes, to 48 hours, after which a customer cannot be answered any more.
const WAITS: [f64; 15] = [
    0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0, 43_200.0, 172_800.0,
];

/// What a callback goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallbackStep {
    /// Verifying, decrypting and reading it.
    Open,
    /// Waiting for the store, which makes it durable.
    Store,
    /// Understanding it and composing the reply.
    Step,
    /// Encrypting and signing the reply.
    Seal,
}

/// The counters of a process; clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Counted>);

struct Counted {
    registry: Registry,
    callbacks: IntCounterVec,
    refusals: IntCounterVec,
    callback_seconds: StepSeconds,
    callback_answer_seconds: Histogram,
    late_replies: IntCounter,
    fetched: IntCounterVec,
    customer_since_sent: Histogram,
    customer_since_fetched: Histogram,
    sends: IntCounterVec,
    api_calls: IntCounterVec,
    gates_closed: IntCounterVec,
    gate_closed_until: GaugeVec,
    token_refreshes: IntCounterVec,
    taken_over: IntCounterVec,
    reloads: IntCounterVec,
    tasks_restarted: IntCounterVec,
    state: State,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        let made = Making(&registry);
        let customers = made.histograms(
            "jiefeng_customer_answer_seconds",
            "Seconds until a message of 微信客服 was answered: since WeCom says that it was sent, which it does in whole seconds, and \
             since it was fetched. Welcomes are left out. A dead letter that is put back counts from when it was first fetched, and has \
             its line in the log once more.",
            "since",
            &WAITS,
        );
        let counted = Counted {
            callbacks: made.counters(
                "jiefeng_callbacks_total",
                "Requests to callback paths by what became of them.",
                &["fate"],
            ),
            refusals: made.counters(
                "jiefeng_refusals_total",
                "Refused requests to callback paths by the step that refused them.",
                &["reason"],
            ),
            callback_seconds: StepSeconds::of(&made.histograms(
                "jiefeng_callback_seconds",
                "Seconds that genuine callbacks took, step by step.",
                "step",
                &SECONDS,
            )),
            callback_answer_seconds: made.histogram(
                "jiefeng_callback_answer_seconds",
                "Seconds that genuine callbacks took in all, from the end of their body to the answer.",
                &SECONDS,
            ),
            late_replies: made.counter(
                "jiefeng_late_replies_total",
                "Replies that were not ready while WeCom waited; they are sent as messages.",
            ),
            fetched: made.counters(
                "jiefeng_fetched_messages_total",
                "Messages fetched from WeCom by what became of them; repeated: fetched before.",
                &["fate"],
            ),
            customer_since_sent: customers.with_label_values(&["sent"]),
            customer_since_fetched: customers.with_label_values(&["fetched"]),
            sends: made.counters(
                "jiefeng_sends_total",
                "Tries to send something by API and how they went.",
                &["api", "result"],
            ),
            api_calls: made.counters(
                "jiefeng_api_calls_total",
                "Exchanges with WeCom's API by API and what the answer means.",
                &["api", "class"],
            ),
            gates_closed: made.counters(
                "jiefeng_gates_closed_total",
                "How often calls of an API were suspended because WeCom limits them; gettoken: because it refused to give a token.",
                &["api"],
            ),
            gate_closed_until: made.gauges(
                "jiefeng_gate_closed_until_timestamp_seconds",
                "Until when calls of an API are suspended, in Unix seconds; 0, or a time that is over, when they are not.",
                &["app", "api"],
            ),
            token_refreshes: made.counters(
                "jiefeng_token_refreshes_total",
                "Access tokens that were needed: fetched, found in the store where another process had put it, refused by WeCom, or \
                 failed, there or in the store; elsewhere: another process was at it and did not finish in time.",
                &["result"],
            ),
            taken_over: made.counters(
                "jiefeng_taken_over_total",
                "What was taken over since the start of this server from processes that ended, or fell silent, without giving it back. \
                 With SQLite it is counted once, at the start, before anybody looks: read the value, not its increase. There an orderly \
                 stop in the middle of something may count as well.",
                &["what"],
            ),
            reloads: made.counters(
                "jiefeng_knowledge_reloads_total",
                "Changes of the knowledge by whether they were taken.",
                &["result"],
            ),
            tasks_restarted: made.counters(
                "jiefeng_tasks_restarted_total",
                "Tasks that ended by a defect of the program and were begun again.",
                &["task"],
            ),
            state: State::new(&made),
            registry,
        };
        let metrics = Self(Arc::new(counted));
        metrics.show_zeros();
        metrics
    }
}

impl Metrics {
    /// What is known from the start is shown from the start, so that the first time counts as an increase.
    fn show_zeros(&self) {
        for fate in [
            "answered",
            "covered",
            "expired",
            "failed",
            "human",
            "noted",
            "recalled",
            "repeated",
            "servicer",
            "skipped",
            "unreadable",
        ] {
            self.0.fetched.with_label_values(&[fate]);
        }
        for api in ["message/send", "kf/send_msg"] {
            for result in ["sent", "later", "refused"] {
                self.0.sends.with_label_values(&[api, result]);
            }
            self.0.api_calls.with_label_values(&[api, "ok"]);
            self.0.gates_closed.with_label_values(&[api]);
        }
        self.0.api_calls.with_label_values(&["gettoken", "ok"]);
        self.0.gates_closed.with_label_values(&["gettoken"]);
        for result in ["fetched", "found", "refused", "failed", "elsewhere"] {
            self.0.token_refreshes.with_label_values(&[result]);
        }
        for what in ["answer", "send", "account", "token"] {
            self.0.taken_over.with_label_values(&[what]);
        }
        for result in ["taken", "refused"] {
            self.0.reloads.with_label_values(&[result]);
        }
        for task in [
            "answering",
            "listing",
            "noting",
            "outbreaks",
            "presence",
            "pulling",
            "purging",
            "reloading",
            "reminding",
            "sending",
            "summarising",
        ] {
            self.0.tasks_restarted.with_label_values(&[task]);
        }
    }

    /// The fates and the reasons for refusals that callbacks can have.
    pub fn expect_callbacks(
        &self,
        fates: impl IntoIterator<Item = &'static str>,
        reasons: impl IntoIterator<Item = &'static str>,
    ) {
        for fate in fates {
            self.0.callbacks.with_label_values(&[fate]);
        }
        for reason in reasons {
            self.0.refusals.with_label_values(&[reason]);
        }
    }

    /// A request to a callback path has had this fate.
    pub fn callback(&self, fate: &'static str) {
        self.0.callbacks.with_label_values(&[fate]).inc();
    }

    /// How many requests to callback paths have had this fate.
    pub fn callbacks_of(&self, fate: &str) -> u64 {
        self.0.callbacks.with_label_values(&[fate]).get()
    }

    /// How many replies were not ready in time.
    pub fn late_replies(&self) -> u64 {
        self.0.late_replies.get()
    }

    /// How long a step of genuine callbacks has taken on average; `None` before the first.
    pub fn average_of(&self, step: CallbackStep) -> Option<Duration> {
        let steps = self.0.callback_seconds.of_step(step);
        let count = u32::try_from(steps.get_sample_count()).ok()?;
        Duration::try_from_secs_f64(steps.get_sample_sum())
            .ok()?
            .checked_div(count)
    }

    /// A request to a callback path was refused.
    pub fn refusal(&self, reason: &'static str) {
        self.0.refusals.with_label_values(&[reason]).inc();
    }

    /// A genuine callback has taken so long for a step.
    pub fn callback_step(&self, step: CallbackStep, took: Duration) {
        self.0.callback_seconds.of_step(step).observe(took.as_secs_f64());
    }

    /// A genuine callback has taken so long in all.
    pub fn callback_answered(&self, took: Duration) {
        self.0.callback_answer_seconds.observe(took.as_secs_f64());
    }

    /// A reply was not ready in time.
    pub fn late_reply(&self) {
        self.0.late_replies.inc();
    }

    /// A fetched message has had this fate.
    pub fn fetched(&self, fate: &'static str) {
        self.0.fetched.with_label_values(&[fate]).inc();
    }

    /// So many messages have been fetched that were fetched before.
    pub fn fetched_again(&self, count: usize) {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        self.0.fetched.with_label_values(&["repeated"]).inc_by(count);
    }

    /// A customer has been answered, so long after the message was sent and after it was fetched.
    pub fn customer_answered(&self, since_sent: Duration, since_fetched: Duration) {
        self.0.customer_since_sent.observe(since_sent.as_secs_f64());
        self.0.customer_since_fetched.observe(since_fetched.as_secs_f64());
    }

    /// Sending has been tried, with this result.
    pub fn send(&self, api: &'static str, result: &'static str) {
        self.0.sends.with_label_values(&[api, result]).inc();
    }

    /// An exchange with WeCom's API has ended.
    pub fn api_call(&self, api: &'static str, class: &'static str) {
        self.0.api_calls.with_label_values(&[api, class]).inc();
    }

    /// Calls of an API are suspended for a while.
    pub fn gate_closed(&self, api: &'static str) {
        self.0.gates_closed.with_label_values(&[api]).inc();
    }

    /// Until when calls of an API are suspended for an app; `None`: they are not.
    pub fn gate(&self, app: &str, api: &'static str, closed_until: Option<Timestamp>) {
        let until = closed_until.map_or(0.0, |until| until.as_duration().as_secs_f64());
        self.0.gate_closed_until.with_label_values(&[app, api]).set(until);
    }

    /// An access token was needed, with this result.
    pub fn token_refresh(&self, result: &'static str) {
        self.0.token_refreshes.with_label_values(&[result]).inc();
    }

    /// So much has been taken over from processes that are no more.
    pub fn taken_over(&self, what: &'static str, count: u64) {
        self.0.taken_over.with_label_values(&[what]).inc_by(count);
    }

    /// A change of the knowledge was taken, or refused.
    pub fn reload(&self, is_taken: bool) {
        let result = if is_taken { "taken" } else { "refused" };
        self.0.reloads.with_label_values(&[result]).inc();
    }

    /// A task was begun again after a defect.
    pub fn task_restarted(&self, task: &'static str) {
        self.0.tasks_restarted.with_label_values(&[task]).inc();
    }

    /// What is looked at when somebody reads the figures.
    pub fn state(&self) -> &State {
        &self.0.state
    }

    /// Everything as Prometheus reads it.
    pub fn as_text(&self) -> String {
        let text = TextEncoder::new().encode_to_string(&self.0.registry.gather());
        text.unwrap_or_else(|error| {
            tracing::error!(%error, "the figures cannot be written");
            String::new()
        })
    }
}

/// A histogram for each step, at hand because every callback goes into all of them.
struct StepSeconds {
    open: Histogram,
    store: Histogram,
    step: Histogram,
    seal: Histogram,
}

impl StepSeconds {
    fn of(all: &HistogramVec) -> Self {
        let of_step = |step: CallbackStep| all.with_label_values(&[step.name()]);
        Self {
            open: of_step(CallbackStep::Open),
            store: of_step(CallbackStep::Store),
            step: of_step(CallbackStep::Step),
            seal: of_step(CallbackStep::Seal),
        }
    }

    fn of_step(&self, step: CallbackStep) -> &Histogram {
        match step {
            CallbackStep::Open => &self.open,
            CallbackStep::Store => &self.store,
            CallbackStep::Step => &self.step,
            CallbackStep::Seal => &self.seal,
        }
    }
}

impl CallbackStep {
    fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Store => "store",
            Self::Step => "step",
            Self::Seal => "seal",
        }
    }
}

/// Makes what a registry holds.
struct Making<'a>(&'a Registry);

#[expect(clippy::expect_used, reason = "names and labels are constants, each used once")]
impl Making<'_> {
    fn register<Family: Collector + Clone + 'static>(&self, made: prometheus::Result<Family>) -> Family {
        let family = made.expect("a good name");
        self.0.register(Box::new(family.clone())).expect("a new name");
        family
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.register(IntCounter::new(name, help))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.register(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn histogram(&self, name: &str, help: &str, bounds: &[f64]) -> Histogram {
        let options = HistogramOpts::new(name, help).buckets(bounds.to_vec());
        self.register(Histogram::with_opts(options))
    }

    fn histograms(&self, name: &str, help: &str, label: &str, bounds: &[f64]) -> HistogramVec {
        let options = HistogramOpts::new(name, help).buckets(bounds.to_vec());
        self.register(HistogramVec::new(options, &[label]))
    }

    fn gauge(&self, name: &str, help: &str) -> Gauge {
        self.register(Gauge::new(name, help))
    }

    fn integer(&self, name: &str, help: &str) -> IntGauge {
        self.register(IntGauge::new(name, help))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.register(GaugeVec::new(Opts::new(name, help), labels))
    }

    fn integers(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_from_the_start_is_shown_from_the_start() {
        let text = Metrics::default().as_text();
        for line in [
            "jiefeng_fetched_messages_total{fate=\"expired\"} 0",
            "jiefeng_fetched_messages_total{fate=\"repeated\"} 0",
            "jiefeng_customer_answer_seconds_count{since=\"sent\"} 0",
            "jiefeng_sends_total{api=\"kf/send_msg\",result=\"refused\"} 0",
            "jiefeng_callback_seconds_count{step=\"seal\"} 0",
            "jiefeng_callback_answer_seconds_count 0",
            "jiefeng_late_replies_total 0",
            "jiefeng_gates_closed_total{api=\"gettoken\"} 0",
            "jiefeng_token_refreshes_total{result=\"found\"} 0",
            "jiefeng_taken_over_total{what=\"send\"} 0",
        ] {
            assert!(text.lines().any(|other| other == line), "`{line}` is not in\n{text}");
        }
    }

    #[test]
    fn a_gate_is_closed_until_a_time_for_one_app() {
        let metrics = Metrics::default();
        metrics.gate("support", "message/send", Timestamp::from_second(1_764_000_000).ok());
        metrics.gate("other", "message/send", None);
        let text = metrics.as_text();
        for line in [
            "jiefeng_gate_closed_until_timestamp_seconds{api=\"message/send\",app=\"other\"} 0",
            "jiefeng_gate_closed_until_timestamp_seconds{api=\"message/send\",app=\"support\"} 1764000000",
        ] {
            assert!(text.lines().any(|other| other == line), "`{line}` is not in\n{text}");
        }
    }

    #[test]
    fn clones_count_together() {
        let metrics = Metrics::default();
        metrics.clone().callback("answered");
        metrics.callback("answered");
        metrics.callback_step(CallbackStep::Open, Duration::from_micros(80));
        let text = metrics.as_text();
        assert!(text.contains("jiefeng_callbacks_total{fate=\"answered\"} 2"), "{text}");
        let bucket = "jiefeng_callback_seconds_bucket{step=\"open\",le=\"0.0001\"} 1";
        assert!(text.contains(bucket), "{text}");
    }
}
