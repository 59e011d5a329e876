package throughline.peers.job;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;

/** Customers as bytes: what the state stores, changelogs and snapshots of the engines hold. */
public final class CustomerCodec {
    private static final int FIXED_BYTES = 3 * Decayed.BYTES + 8 + 8 * Evidence.COUNT + 4 + 8 + 8 + 8 + 64 + 4 + 3;
    /** An entry at most: 16 bytes of id, two times of up to ten, two numbers of two, type and channel. */
    private static final int ENTRY_BYTES_MAX = 42;

    private CustomerCodec() {}

    /** As bytes. */
    public static byte[] encode(Customer customer) {
        int entries = customer.folded.size() + customer.recent.size();
        int room = FIXED_BYTES + ChannelSum.BYTES * customer.channels.size() + ENTRY_BYTES_MAX * entries;
        ByteBuffer out = ByteBuffer.allocate(room);
        customer.moment.write(out);
        customer.relationship.write(out);
        customer.lifetime.write(out);
        out.putDouble(customer.lifetimeSquares);
        for (double share : customer.mix) {
            out.putDouble(share);
        }
        out.putInt(customer.count);
        out.putLong(customer.foldedValencedAt).putLong(customer.asOf).putLong(customer.version);
        for (double number : customer.published) {
            out.putDouble(number);
        }
        out.putInt(customer.publishedTouchpoints);
        out.put((byte) customer.channels.size());
        for (ChannelSum channel : customer.channels) {
            channel.write(out);
        }
        writeEntries(out, customer.folded, customer.asOf);
        writeEntries(out, customer.recent, customer.asOf);
        return Arrays.copyOf(out.array(), out.position());
    }

    /** From the bytes of {@link #encode}. */
    public static Customer decode(byte[] bytes) {
        ByteBuffer in = ByteBuffer.wrap(bytes);
        Customer customer = new Customer();
        customer.moment.read(in);
        customer.relationship.read(in);
        customer.lifetime.read(in);
        customer.lifetimeSquares = in.getDouble();
        for (int kind = 0; kind < customer.mix.length; kind++) {
            customer.mix[kind] = in.getDouble();
        }
        customer.count = in.getInt();
        customer.foldedValencedAt = in.getLong();
        customer.asOf = in.getLong();
        customer.version = in.getLong();
        for (int at = 0; at < customer.published.length; at++) {
            customer.published[at] = in.getDouble();
        }
        customer.publishedTouchpoints = in.getInt();
        for (int left = in.get(); left > 0; left--) {
            customer.channels.add(ChannelSum.read(in));
        }
        readEntries(in, customer.folded, customer.asOf);
        customer.recent.ensureCapacity(Byte.toUnsignedInt(in.get(in.position())) + 1);
        readEntries(in, customer.recent, customer.asOf);
        return customer;
    }

    /** Times are differences, which are short. */
    private static void writeEntries(ByteBuffer out, List<Entry> entries, long asOf) {
        out.put((byte) entries.size());
        for (Entry entry : entries) {
            out.put(entry.id());
            writeNumber(out, asOf - entry.occurredAt());
            writeNumber(out, entry.receivedAt() - entry.occurredAt());
            out.putShort((short) entry.valence()).putShort((short) entry.weight());
            out.put((byte) entry.type().ordinal()).put((byte) entry.channel().ordinal());
        }
    }

    private static void readEntries(ByteBuffer in, List<Entry> entries, long asOf) {
        for (int left = Byte.toUnsignedInt(in.get()); left > 0; left--) {
            byte[] id = new byte[16];
            in.get(id);
            long occurredAt = asOf - readNumber(in);
            long receivedAt = occurredAt + readNumber(in);
            int valence = in.getShort();
            int weight = Short.toUnsignedInt(in.getShort());
            TouchpointType type = TouchpointType.of(in.get());
            entries.add(new Entry(id, occurredAt, receivedAt, valence, weight, type, Channel.of(in.get())));
        }
    }

    /** Seven bits a byte, the sign in the lowest bit. */
    private static void writeNumber(ByteBuffer out, long number) {
        long left = number << 1 ^ number >> 63;
        while ((left & ~0x7fL) != 0) {
            out.put((byte) (left | 0x80));
            left >>>= 7;
        }
        out.put((byte) left);
    }

    private static long readNumber(ByteBuffer in) {
        long number = 0;
        byte next;
        int shift = 0;
        do {
            next = in.get();
            number |= (next & 0x7fL) << shift;
            shift += 7;
        } while (next < 0);
        return number >>> 1 ^ -(number & 1);
    }
}
