"""The air: bumble's controllers and link, made fit for a Linux kernel as host.

bumble 0.0.236 plays both ends of its link with its own host software. The kernel asks more of a controller:

- it believes the features: extended advertising is claimed by bumble, but the commands for it are not listed, so this
  radio is a plain 4.2 one with legacy scanning;
- LE data has to come from the address that the connection was made with (a Linux central uses its public one);
- a cancelled Create Connection must end with a Connection Complete event, and must not stay pending;
- a reset must end scans and connections; commands for a link that is gone need an error status.
"""

import asyncio
import os

from bumble import hci, ll
from bumble.controller import Controller
from bumble.core import PhysicalTransport
from bumble.link import LocalLink

Error = hci.HCI_ErrorCode
VENDOR, PRIMARY = 0xFF, 0x00  # packet and device type by which /dev/vhci makes an adapter


class Air(LocalLink):
    """Carries packets between the adapter and the straps that are in reach."""

    def __init__(self):
        super().__init__()
        self.out_of_reach = set()
        self.refusing = set()
        self.unheard = {}  # radio out of reach: what its links have for it

    def owner(self, address):
        return next((c for c in self.controllers if address in (c.random_address, c.public_address)), None)

    def find_le_controller(self, address):
        return self.owner(address)

    def _deliver(self, sender, receiver, method, *args):
        if sender is None or receiver is None or {sender, receiver} & self.out_of_reach:
            return
        asyncio.get_running_loop().call_soon(getattr(receiver, method), *args)

    def send_acl_data(self, sender_controller, destination_address, transport, data):
        link = sender_controller.le_connections.get(destination_address)
        if transport == PhysicalTransport.LE and link is not None:
            receiver = self.owner(destination_address)
            packet = ("on_link_acl_data", link.self_address, transport, data)
            if receiver in self.out_of_reach:
                # a link that survives loses nothing: its layer repeats until it is heard
                self.unheard.setdefault(receiver, []).append((sender_controller, link, packet))
            else:
                self._deliver(sender_controller, receiver, *packet)

    def send_advertising_pdu(self, sender_controller, packet):
        for receiver in list(self.controllers):
            if receiver is not sender_controller:
                self._deliver(sender_controller, receiver, "on_ll_advertising_pdu", packet)

    def send_ll_control_pdu(self, sender_address, receiver_address, packet):
        sender, receiver = self.owner(sender_address), self.owner(receiver_address)
        self._deliver(sender, receiver, "on_ll_control_pdu", sender_address, packet)

    def returned(self, radio):
        """`radio` is heard again, and hears what waited for it."""
        self.out_of_reach.discard(radio)
        for sender, link, packet in self.unheard.pop(radio, []):
            if link in sender.le_connections.values():
                self._deliver(sender, radio, *packet)

    def supervise(self, controller, seconds):
        """`controller` is not heard any more: both ends of its links notice after the supervision time-out, unless it
        came back before."""
        ends = [(controller, link) for link in controller.le_connections.values()]
        for _, link in list(ends):
            other = self.owner(link.peer_address)
            if other is not None and link.self_address in other.le_connections:
                ends.append((other, other.le_connections[link.self_address]))

        def lose():
            if controller in self.out_of_reach or controller not in self.controllers:
                for end, link in ends:
                    end.lose(link)

        asyncio.get_running_loop().call_later(seconds, lose)


class Radio(Controller):
    """One Bluetooth controller: the adapter's, or a strap's."""

    le_features = hci.LeFeatureMask.LE_ENCRYPTION | hci.LeFeatureMask.PERIPHERAL_INITIATED_FEATURE_EXCHANGE
    hci_version = lmp_version = hci.HCI_VERSION_BLUETOOTH_CORE_4_2
    le_acl_data_packet_length = acl_data_packet_length = 251

    def lose(self, link, reason=Error.CONNECTION_TIMEOUT_ERROR):
        if self.le_connections.get(link.peer_address) is link:
            self.on_le_disconnected(link, reason)

    def on_advertising_pdu(self, pdu):
        # who refuses is heard, but a connection request to it goes unanswered
        refused = self.link.owner(pdu.advertiser_address) in self.link.refusing
        pending = self.pending_le_connection
        if refused:
            self.pending_le_connection = None
        super().on_advertising_pdu(pdu)
        if refused:
            self.pending_le_connection = pending

    def on_ll_control_pdu(self, sender_address, packet):
        if sender_address in self.le_connections:
            super().on_ll_control_pdu(sender_address, packet)

    def on_hci_reset_command(self, command):
        self.le_scan_enable = False
        self.pending_le_connection = None
        self.le_legacy_advertiser.stop()
        for link in self.le_connections.values():
            link.send_ll_control_pdu(ll.TerminateInd(Error.REMOTE_DEVICE_TERMINATED_CONNECTION_DUE_TO_POWER_OFF_ERROR))
        self.le_connections.clear()
        return super().on_hci_reset_command(command)

    def on_hci_disconnect_command(self, command):
        if self.find_connection_by_handle(command.connection_handle) is None:
            return self._send_hci_command_status(Error.UNKNOWN_CONNECTION_IDENTIFIER_ERROR, command.op_code)
        return super().on_hci_disconnect_command(command)

    def on_hci_le_create_connection_cancel_command(self, command):
        pending, self.pending_le_connection = self.pending_le_connection, None
        if pending is None:
            return hci.HCI_StatusReturnParameters(Error.COMMAND_DISALLOWED_ERROR)
        done = hci.HCI_LE_Connection_Complete_Event(
            status=Error.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=0,
            role=hci.Role.CENTRAL,
            peer_address_type=pending.peer_address_type,
            peer_address=pending.peer_address,
            connection_interval=0,
            peripheral_latency=0,
            supervision_timeout=0,
            central_clock_accuracy=0,
        )
        asyncio.get_running_loop().call_soon(self.send_hci_packet, done)  # after the command's own answer
        return hci.HCI_StatusReturnParameters(Error.SUCCESS)


class Vhci:
    """The kernel's side of the adapter's HCI. bumble has a transport for it, which closes on the first write that fails;
    but the kernel refuses what comes for an adapter that is switched off, and that must not unplug it."""

    def __init__(self, radio):
        self.radio = radio
        self.fd = os.open("/dev/vhci", os.O_RDWR | os.O_NONBLOCK)
        os.write(self.fd, bytes([VENDOR, PRIMARY]))
        asyncio.get_running_loop().add_reader(self.fd, self._readable)

    def _readable(self):
        try:
            packet = os.read(self.fd, 4096)  # one packet at a time
        except BlockingIOError:
            return  # the kernel took it back: the adapter was switched off
        if packet[:1] != bytes([VENDOR]):
            self.radio.on_packet(packet)

    def on_packet(self, packet):
        try:
            os.write(self.fd, packet)
        except OSError:
            pass  # the adapter is off

    def close(self):
        asyncio.get_running_loop().remove_reader(self.fd)
        os.close(self.fd)


class Adapter:
    """The radio that the kernel drives through /dev/vhci; it can be unplugged."""

    def __init__(self, air, address):
        self.air, self.address = air, address
        self.radio = self.kernel = None

    def plug(self):
        self.radio = Radio("adapter", link=self.air, public_address=self.address)
        self.kernel = Vhci(self.radio)
        self.radio.host = self.kernel

    def unplug(self):
        self.radio.host = None
        self.air.supervise(self.radio, 1.0)
        self.air.remove_controller(self.radio)
        self.kernel.close()
