//! A proxy between a store and its server, which cuts connections after so many bytes or at what is said, and falls silent.

use std::io;
use std::sync::Arc;

use fastrand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;

/// In which direction bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    ToServer,
    ToClient,
}

/// When connections are cut.
#[derive(Debug, Clone)]
pub enum Cuts {
    None,
    /// Each new connection after a random number of bytes, in a random direction.
    AtRandom(Rng),
    /// Once, whatever connection it is, after so many more bytes in one direction.
    After(Way, usize),
    /// Once, whatever connection it is, in place of what says this; then it is [`Shut`](Self::Shut).
    At(Way, &'static str),
    /// What connects, and what the server is told by whoever is connected, waits for another setting.
    Shut,
    /// Once, before what says this is passed on, all [stands still](Self::Still).
    StillAt(Way, &'static str),
    /// Nothing is passed on until another setting, as if the client stood still: its connections stay.
    Still,
    /// What the server says is held back until another setting; what it is told, it hears.
    Silent,
}

/// A proxy to a server on a Unix socket.
pub struct Proxy {
    port: u16,
    cuts: Arc<watch::Sender<Cuts>>,
    accepting: AbortHandle,
}

impl Proxy {
    /// Starts a proxy to the server at an address.
    pub async fn start(server_url: &str) -> io::Result<Self> {
        let socket = socket_of(server_url);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let cuts = Arc::new(watch::Sender::new(Cuts::None));
        let shared = cuts.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(relay(client, socket.clone(), shared.clone()));
            }
        });
        Ok(Self { port, cuts, accepting: accepting.abort_handle() })
    }

    /// The address of a server's database through the proxy.
    pub fn url(&self, server_url: &str) -> String {
        let database = server_url.split(['/', '?']).nth(3).expect("a database is named");
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    pub fn set(&self, cuts: Cuts) {
        self.cuts.send_replace(cuts);
    }

    /// Waits until a connection was cut where it was to be cut.
    pub async fn shut(&self) {
        let mut cuts = self.cuts.subscribe();
        cuts.wait_for(|cuts| matches!(cuts, Cuts::Shut)).await.expect("the proxy is there");
    }
}

impl Proxy {
    /// Waits until all stands still.
    pub async fn stands_still(&self) {
        let mut cuts = self.cuts.subscribe();
        cuts.wait_for(|cuts| matches!(cuts, Cuts::Still)).await.expect("the proxy is there");
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// The socket that the address of a private server leads to.
fn socket_of(url: &str) -> String {
    let (_, path) = url.split_once("host=").expect("a private server is on a socket");
    let folder = path.split('&').next().expect("a path").replace("%2F", "/");
    format!("{folder}/.s.PGSQL.5432")
}

/// Relays until one side ends or the connection is cut; both sides are then closed at once, without a farewell.
async fn relay(
    client: TcpStream,
    socket: String,
    cuts: Arc<watch::Sender<Cuts>>,
) -> io::Result<()> {
    passes(&cuts, |cuts| !matches!(cuts, Cuts::Shut | Cuts::Still)).await;
    let server = UnixStream::connect(socket).await?;
    client.set_nodelay(true)?;
    let mut own = (Way::ToServer, usize::MAX);
    cuts.send_if_modified(|cuts| {
        if let Cuts::AtRandom(rng) = cuts {
            // Most of what is sent is sent at the beginning of a connection, or in the middle of much.
            let bytes = 1 << rng.u32(7..18);
            let way = if rng.bool() { Way::ToServer } else { Way::ToClient };
            own = (way, rng.usize(..bytes));
        }
        false
    });
    let (own_way, own_bytes) = own;
    let budget = |way| if own_way == way { own_bytes } else { usize::MAX };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::select! {
        ended = copy(&mut from_client, &mut to_server, Way::ToServer, budget(Way::ToServer), &cuts) => ended,
        ended = copy(&mut from_server, &mut to_client, Way::ToClient, budget(Way::ToClient), &cuts) => ended,
    }
}

/// Waits for a setting that lets pass.
async fn passes(cuts: &watch::Sender<Cuts>, lets: impl FnMut(&Cuts) -> bool) {
    // Whoever waits holds the sender.
    _ = cuts.subscribe().wait_for(lets).await;
}

/// Copies until the end, or until the connection is to be cut.
async fn copy(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    way: Way,
    mut own: usize,
    cuts: &watch::Sender<Cuts>,
) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        stand_still(way, &buffer[..read], cuts);
        passes(cuts, |cuts| match way {
            Way::ToServer => !matches!(cuts, Cuts::Shut | Cuts::Still),
            Way::ToClient => !matches!(cuts, Cuts::Silent | Cuts::Still),
        })
        .await;
        let passed = own.min(read).min(shared_budget(way, &buffer[..read], cuts));
        to.write_all(&buffer[..passed]).await?;
        if read == 0 || passed < read {
            return Ok(());
        }
        // Not while the connection has a budget without a bound: it would never run out.
        own -= if own == usize::MAX { 0 } else { passed };
    }
}

/// Has all stand still, if these bytes say that at which it is to be.
fn stand_still(way: Way, bytes: &[u8], cuts: &watch::Sender<Cuts>) {
    cuts.send_if_modified(|cuts| match cuts {
        Cuts::StillAt(of, said) if *of == way => {
            let found = bytes.windows(said.len()).any(|part| part == said.as_bytes());
            if found {
                *cuts = Cuts::Still;
            }
            found
        }
        _ => false,
    });
}

/// How many of these bytes may pass; the cut is done with the first that may not.
fn shared_budget(way: Way, bytes: &[u8], cuts: &watch::Sender<Cuts>) -> usize {
    let mut passed = bytes.len();
    cuts.send_if_modified(|cuts| match cuts {
        Cuts::After(of, left) if *of == way => {
            if *left < bytes.len() {
                passed = *left;
                *cuts = Cuts::None;
                return true;
            }
            *left -= bytes.len();
            false
        }
        Cuts::At(of, said) if *of == way => {
            let found = bytes.windows(said.len()).any(|part| part == said.as_bytes());
            if found {
                passed = 0;
                *cuts = Cuts::Shut;
            }
            found
        }
        _ => false,
    });
    passed
}
