//! One life of the fake bluetoothd: a connection to the bus on a thread of its own.

use super::world::World;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use zbus::Message;
use zbus::export::ordered_stream::OrderedStreamExt;
use zbus::message::Type;

/// How often the world's own clockwork turns.
const TICK: Duration = Duration::from_millis(20);

pub struct Server {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Returns once the name `org.bluez` is owned.
    pub fn start(address: &str, world: Arc<Mutex<World>>) -> Self {
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let address = address.to_owned();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
            runtime.block_on(serve(&address, world, stopped, ready));
        });
        is_ready.recv_timeout(Duration::from_secs(10)).expect("the fake bluetoothd did not get its name");
        Self { stop, thread }
    }

    pub fn stop(self) {
        let _ = self.stop.send(());
        let _ = self.thread.join();
    }
}

async fn serve(
    address: &str,
    world: Arc<Mutex<World>>,
    mut stopped: oneshot::Receiver<()>,
    ready: std::sync::mpsc::Sender<()>,
) {
    let connection =
        zbus::connection::Builder::address(address).expect("address").build().await.expect("connection to the bus");
    let mut messages = zbus::MessageStream::from(&connection);
    let (out, mut outgoing) = mpsc::unbounded_channel::<Message>();
    let locked = |f: &mut dyn FnMut(&mut World)| f(&mut world.lock().unwrap_or_else(PoisonError::into_inner));
    locked(&mut |w| w.start(out.clone()));
    connection
        .call_method(
            Some("org.freedesktop.DBus"),
            "/org/freedesktop/DBus",
            Some("org.freedesktop.DBus"),
            "RequestName",
            &("org.bluez", 0u32),
        )
        .await
        .expect("name org.bluez");
    let _ = ready.send(());
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            biased;
            _ = &mut stopped => break,
            Some(message) = outgoing.recv() => {
                if connection.send(&message).await.is_err() {
                    break;
                }
            }
            message = messages.next() => match message {
                Some(Ok(message)) if message.message_type() == Type::MethodCall => locked(&mut |w| w.call(&message)),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
            _ = tick.tick() => locked(&mut World::tick),
        }
    }
    // What the world counts as sent is sent, even at the end.
    locked(&mut World::stopped);
    while let Ok(message) = outgoing.try_recv() {
        let _ = connection.send(&message).await;
    }
    let _ = connection.close().await;
}
