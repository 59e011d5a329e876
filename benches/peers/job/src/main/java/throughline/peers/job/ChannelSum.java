package throughline.peers.job;

import java.nio.ByteBuffer;

/** Sums of one channel and when it was last used by a touchpoint that has left the recent list. */
final class ChannelSum {
    static final int BYTES = 1 + 8 + Decayed.BYTES;

    final Channel channel;
    final Decayed sums = new Decayed(Model.CHANNEL);
    /** Milliseconds since 1970; the smallest number if nothing has left the list. */
    long foldedLastAt = Long.MIN_VALUE;

    ChannelSum(Channel channel) {
        this.channel = channel;
    }

    void write(ByteBuffer out) {
        out.put((byte) channel.ordinal()).putLong(foldedLastAt);
        sums.write(out);
    }

    static ChannelSum read(ByteBuffer in) {
        ChannelSum read = new ChannelSum(Channel.of(in.get()));
        read.foldedLastAt = in.getLong();
        read.sums.read(in);
        return read;
    }
}
