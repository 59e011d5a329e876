package throughline.peers.job;

import java.nio.ByteBuffer;

/**
 * One normalized interaction of a customer, as it travels from the first hop to the second.
 *
 * @param id 16 bytes
 * @param identifiers nodes it names, 17 bytes each, strongest first
 * @param occurredAt milliseconds since 1970
 * @param receivedAt Kafka timestamp of the source record, milliseconds since 1970
 * @param type what happened
 * @param channel through which channel
 * @param stars rating of 1 to 5; not a number without one
 */
public record Touchpoint(
        byte[] id,
        byte[][] identifiers,
        long occurredAt,
        long receivedAt,
        TouchpointType type,
        Channel channel,
        double stars) {

    private static final int FIXED_BYTES = 43;

    /** The customer: the node it is routed by. */
    public byte[] customer() {
        return identifiers[0];
    }

    /** As bytes. */
    public byte[] encode() {
        ByteBuffer out = ByteBuffer.allocate(FIXED_BYTES + CustomerId.BYTES * identifiers.length);
        out.put(id).putLong(occurredAt).putLong(receivedAt);
        out.put((byte) type.ordinal()).put((byte) channel.ordinal()).putDouble(stars);
        out.put((byte) identifiers.length);
        for (byte[] identifier : identifiers) {
            out.put(identifier);
        }
        return out.array();
    }

    /** From the bytes of {@link #encode}. */
    public static Touchpoint decode(byte[] bytes) {
        ByteBuffer in = ByteBuffer.wrap(bytes);
        byte[] id = new byte[16];
        in.get(id);
        long occurredAt = in.getLong();
        long receivedAt = in.getLong();
        TouchpointType type = TouchpointType.of(in.get());
        Channel channel = Channel.of(in.get());
        double stars = in.getDouble();
        byte[][] identifiers = new byte[in.get()][CustomerId.BYTES];
        for (byte[] identifier : identifiers) {
            in.get(identifier);
        }
        return new Touchpoint(id, identifiers, occurredAt, receivedAt, type, channel, stars);
    }
}
