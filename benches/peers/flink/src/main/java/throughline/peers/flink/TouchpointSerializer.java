package throughline.peers.flink;

import java.io.IOException;
import org.apache.flink.api.common.typeutils.SimpleTypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.TypeSerializerSnapshot;
import org.apache.flink.api.common.typeutils.base.TypeSerializerSingleton;
import org.apache.flink.core.memory.DataInputView;
import org.apache.flink.core.memory.DataOutputView;
import throughline.peers.job.Touchpoint;

/** Touchpoints between the halves of the job: length and bytes. */
public final class TouchpointSerializer extends TypeSerializerSingleton<Touchpoint> {
    static final TouchpointSerializer INSTANCE = new TouchpointSerializer();

    @Override
    public boolean isImmutableType() {
        return true;
    }

    @Override
    public Touchpoint createInstance() {
        return null;
    }

    @Override
    public Touchpoint copy(Touchpoint from) {
        return from;
    }

    @Override
    public Touchpoint copy(Touchpoint from, Touchpoint reuse) {
        return from;
    }

    @Override
    public int getLength() {
        return -1;
    }

    @Override
    public void serialize(Touchpoint touchpoint, DataOutputView out) throws IOException {
        byte[] bytes = touchpoint.encode();
        out.writeShort(bytes.length);
        out.write(bytes);
    }

    @Override
    public Touchpoint deserialize(DataInputView in) throws IOException {
        byte[] bytes = new byte[in.readUnsignedShort()];
        in.readFully(bytes);
        return Touchpoint.decode(bytes);
    }

    @Override
    public Touchpoint deserialize(Touchpoint reuse, DataInputView in) throws IOException {
        return deserialize(in);
    }

    @Override
    public void copy(DataInputView in, DataOutputView out) throws IOException {
        int length = in.readUnsignedShort();
        out.writeShort(length);
        out.write(in, length);
    }

    @Override
    public TypeSerializerSnapshot<Touchpoint> snapshotConfiguration() {
        return new Snapshot();
    }

    /** There is one version. */
    public static final class Snapshot extends SimpleTypeSerializerSnapshot<Touchpoint> {
        /** Made by Flink. */
        public Snapshot() {
            super(() -> INSTANCE);
        }
    }
}
