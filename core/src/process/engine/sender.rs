//! The commands of one process on their way: in their order, each until it is answered.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::bus::{CommandBus, DispatchError, DomainError, RetryPolicy};
use crate::metrics;
use crate::process::{Fault, Outgoing, Rejection};
use crate::projection::{chain, message_of};
use crate::reactor::ReactorCommand;
use crate::repository::LoadError;
use crate::subscription::lease::Freshness;
use crate::subscription::retry::Backoff;

/// How often it is looked whether the lease has been renewed.
const LOOK: Duration = Duration::from_millis(10);

/// What became of the command that was to go out next.
#[derive(Debug)]
pub(super) enum Answer {
    Accepted,
    Refused(Rejection),
    /// It is never to be done any more.
    Withdrawn,
    /// It could not be done, and trying again would not help.
    Failed {
        reason: String,
        /// How often it was tried.
        tries: u32,
    },
}

/// What an owner is told of what is on its way.
#[derive(Debug)]
pub(super) enum Told {
    Answered(Answered),
    Called(Called),
}

/// What came of a reactor's call for one key.
#[derive(Debug)]
pub(super) struct Called {
    pub(super) id: String,
    pub(super) result: Result<Vec<ReactorCommand>, Fault>,
    /// How often it was made.
    pub(super) tries: u32,
}

/// The answer to one command of one process.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) id: String,
    pub(super) key: String,
    pub(super) answer: Answer,
}

/// What sends commands.
#[derive(Clone)]
pub(super) struct Sender {
    pub(super) bus: CommandBus,
    /// The name of the process, for interceptors.
    pub(super) process: Arc<str>,
    /// How many commands are on their way at once.
    pub(super) turns: Arc<Semaphore>,
    pub(super) retry: RetryPolicy,
    /// How long one may take.
    pub(super) time_limit: Duration,
    /// A program that stood still sends nothing until it knows that it is the owner. It may stand still again after that: of a
    /// command, its key tells then; of a reactor's call, nobody does.
    pub(super) lease: Freshness,
    pub(super) stop: CancellationToken,
    pub(super) answers: mpsc::UnboundedSender<Told>,
}

impl Sender {
    /// Sends commands one after the other, until one is not accepted.
    ///
    /// Told to stop, it ends after the command that is on its way. Dropped, it leaves a command done or not done: sent again
    /// under its key, it is done once.
    pub(super) fn send(&self, id: &str, commands: Vec<Outgoing>) -> AbortOnDropHandle<()> {
        let (sender, id) = (self.clone(), id.to_owned());
        AbortOnDropHandle::new(tokio::spawn(async move {
            for command in commands {
                // The domain's error may panic when it is asked what it says.
                let answering = AssertUnwindSafe(sender.answer(&command)).catch_unwind();
                let answer = answering.await.unwrap_or_else(|panic| {
                    let reason = format!("panicked: {}", message_of(&*panic));
                    Some(Answer::Failed { reason, tries: 1 })
                });
                let Some(answer) = answer else { return };
                let is_accepted = matches!(answer, Answer::Accepted);
                let answered = Answered { id: id.clone(), key: command.key, answer };
                if sender.answers.send(Told::Answered(answered)).is_err() || !is_accepted {
                    return;
                }
            }
        }))
    }

    /// Sends a command until it is answered; `None` if it is told to stop.
    async fn answer(&self, command: &Outgoing) -> Option<Answer> {
        let (mut backoff, mut failures) = (Backoff::new(), 0);
        loop {
            let turn = tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                turn = self.turns.acquire() => turn.ok()?,
            };
            self.owns().await;
            let sent = self.once(command).await;
            drop(turn);
            let (reason, pause) = match sent {
                Sent::Answered(answer) => return Some(answer),
                Sent::PassesByItself(reason) => (reason, Some(backoff.next_pause())),
                Sent::FailsAgain(reason) => {
                    failures += 1;
                    (reason, None)
                }
                Sent::Failed(reason) => {
                    failures += 1;
                    (reason, self.retry.pause_before(failures))
                }
            };
            let Some(pause) = pause else {
                metrics::process_command(&self.process, &command.name, "failed");
                return Some(Answer::Failed { reason, tries: failures });
            };
            let (process, name) = (&*self.process, &*command.name);
            tracing::warn!(process, command = name, reason, ?pause, "a command is sent again");
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return None,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Waits until it is known that the lease is held. Whoever has lost it drops this.
    pub(super) async fn owns(&self) {
        while !self.lease.is_held() {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Sends a command once.
    async fn once(&self, command: &Outgoing) -> Sent {
        let sent = self
            .bus
            .dispatch_json(command.name.clone(), command.content.clone())
            .of_process(&self.process, &command.key, &command.metadata);
        // A bus that panics is a handler that does.
        let sent = AssertUnwindSafe(async { sent.await }).catch_unwind();
        let Ok(sent) = tokio::time::timeout(self.time_limit, sent).await else {
            return Sent::Failed(format!("it took longer than {:?}", self.time_limit));
        };
        let count = |outcome| metrics::process_command(&self.process, &command.name, outcome);
        let error = match sent {
            Ok(Ok(_)) => {
                count("done");
                return Sent::Answered(Answer::Accepted);
            }
            Ok(Err(error)) => error,
            Err(panic) => return Sent::Failed(format!("panicked: {}", message_of(&*panic))),
        };
        if let DispatchError::Withdrawn { .. } = &error {
            tracing::warn!(process = &*self.process, %error, "a command was given up before");
            return Sent::Answered(Answer::Withdrawn);
        }
        match Rejection::of(error) {
            Ok(why) => {
                count(why.kind().as_str());
                Sent::Answered(Answer::Refused(why))
            }
            Err(error) if passes_by_itself(&error) => Sent::PassesByItself(chain(&error)),
            Err(error) if fails_again(&error) => Sent::FailsAgain(reason_of(&error)),
            Err(error) => Sent::Failed(reason_of(&error)),
        }
    }
}

/// What came of sending a command once.
enum Sent {
    Answered(Answer),
    PassesByItself(String),
    FailsAgain(String),
    Failed(String),
}

/// Whether it is an outage, a conflict or an unknown outcome: the command is sent again for as long as that lasts.
fn passes_by_itself(error: &DispatchError<DomainError>) -> bool {
    match error {
        DispatchError::Conflict(_) | DispatchError::UnknownOutcome { .. } => true,
        DispatchError::Store(error) | DispatchError::Load(LoadError::Store(error)) => {
            error.is_unavailable()
        }
        _ => false,
    }
}

/// Whether sending it again gives the same.
fn fails_again(error: &DispatchError<DomainError>) -> bool {
    error.is_invalid() || matches!(error, DispatchError::Setup(_))
}

/// Why a command could not be done, for a message that begins with its name.
fn reason_of(error: &DispatchError<DomainError>) -> String {
    match error {
        DispatchError::InvalidCommand { reason, .. } => reason.clone(),
        DispatchError::UnknownCommand { .. } => "no handler of the bus takes it".to_owned(),
        error => chain(error),
    }
}
