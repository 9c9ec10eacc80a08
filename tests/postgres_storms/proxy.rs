//! A proxy between a store and its server, which cuts connections after so many bytes.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
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
}

/// A proxy to a server on a Unix socket.
pub struct Proxy {
    port: u16,
    cuts: Arc<Mutex<Cuts>>,
    accepting: AbortHandle,
}

impl Proxy {
    /// Starts a proxy to the server at an address.
    pub async fn start(server_url: &str) -> io::Result<Self> {
        let socket = socket_of(server_url);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let cuts = Arc::new(Mutex::new(Cuts::None));
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
        *self.cuts.lock().unwrap_or_else(PoisonError::into_inner) = cuts;
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
async fn relay(client: TcpStream, socket: String, cuts: Arc<Mutex<Cuts>>) -> io::Result<()> {
    let server = UnixStream::connect(socket).await?;
    client.set_nodelay(true)?;
    let (own_way, own_bytes) = match &mut *cuts.lock().unwrap_or_else(PoisonError::into_inner) {
        Cuts::AtRandom(rng) => {
            // Most of what is sent is sent at the beginning of a connection, or in the middle of much.
            let bytes = 1 << rng.u32(7..18);
            let way = if rng.bool() { Way::ToServer } else { Way::ToClient };
            (way, rng.usize(..bytes))
        }
        Cuts::None | Cuts::After(..) => (Way::ToServer, usize::MAX),
    };
    let budget = |way| if own_way == way { own_bytes } else { usize::MAX };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::select! {
        ended = copy(&mut from_client, &mut to_server, Way::ToServer, budget(Way::ToServer), &cuts) => ended,
        ended = copy(&mut from_server, &mut to_client, Way::ToClient, budget(Way::ToClient), &cuts) => ended,
    }
}

/// Copies until the end, or until the connection is to be cut.
async fn copy(
    from: &mut (impl AsyncReadExt + Unpin),
    to: &mut (impl AsyncWriteExt + Unpin),
    way: Way,
    mut own: usize,
    cuts: &Mutex<Cuts>,
) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        let passed = own.min(read).min(shared_budget(way, read, cuts));
        to.write_all(&buffer[..passed]).await?;
        if read == 0 || passed < read {
            return Ok(());
        }
        // Not while the connection has a budget without a bound: it would never run out.
        own -= if own == usize::MAX { 0 } else { passed };
    }
}

/// How many of these bytes may pass; the cut is done with the first that may not.
fn shared_budget(way: Way, bytes: usize, cuts: &Mutex<Cuts>) -> usize {
    let mut cuts = cuts.lock().unwrap_or_else(PoisonError::into_inner);
    match &mut *cuts {
        Cuts::After(of, left) if *of == way => {
            if *left < bytes {
                let passed = *left;
                *cuts = Cuts::None;
                return passed;
            }
            *left -= bytes;
            bytes
        }
        _ => bytes,
    }
}
