//! Mails, which are written to a folder: one file for each.

use std::io;
use std::path::PathBuf;

use annals::prelude::*;
use tokio::fs;
use uuid::Uuid;

use crate::domain::{OrderCancelled, OrderPaid, OrderShipped};

/// The folder that stands for a mail server.
#[derive(Debug)]
pub(crate) struct MailFolder {
    folder: PathBuf,
}

impl MailFolder {
    pub(crate) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Writes the mail about one event, once: it is called again when nobody knows whether it was written, and a file has its
    /// name only when it is whole.
    async fn send(&self, about: Uuid, to: &str, text: &str) -> io::Result<()> {
        let mail = self.folder.join(format!("{about}.txt"));
        if fs::try_exists(&mail).await? {
            return Ok(());
        }
        fs::create_dir_all(&self.folder).await?;
        let draft = self.folder.join(format!(".{}", Uuid::now_v7()));
        fs::write(&draft, format!("To: {to}\n\n{text}\n")).await?;
        fs::rename(&draft, &mail).await
    }
}

/// Tells customers what has become of their orders.
pub(crate) struct Mails;

#[reactor(name = "mails", services = MailFolder)]
impl Mails {
    #[on]
    async fn paid(event: &OrderPaid, cx: &EventContext<Self>) -> io::Result<()> {
        let text = format!("Order {} is paid.", cx.stream_id().id());
        cx.services().send(cx.event_id(), &event.customer, &text).await
    }

    #[on]
    async fn shipped(event: &OrderShipped, cx: &EventContext<Self>) -> io::Result<()> {
        let (order, tracking) = (cx.stream_id().id(), &event.tracking);
        let text = format!("Order {order} is on its way: parcel {tracking}.");
        cx.services().send(cx.event_id(), &event.customer, &text).await
    }

    #[on]
    async fn cancelled(event: &OrderCancelled, cx: &EventContext<Self>) -> io::Result<()> {
        let (order, reason) = (cx.stream_id().id(), &event.reason);
        let text = format!("Order {order} is cancelled: {reason}.");
        cx.services().send(cx.event_id(), &event.customer, &text).await
    }
}
