// Read the four files of `idxhub get NAME --to DIR` and print the SHA-256 of the images and of the labels.
//
//     java ReadIdx.java DIR     # JDK 17 or later

import java.io.DataInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.zip.GZIPInputStream;

public class ReadIdx {
    record Idx(int count, byte[] data) {}

    static Idx readIdx(Path path, int magic) throws IOException {
        try (var in = new DataInputStream(new GZIPInputStream(Files.newInputStream(path)))) {
            if (in.readInt() != magic) {
                throw new IOException("wrong magic number");
            }
            int count = in.readInt();
            long size = count;
            for (int dims = magic & 0xff; dims > 1; dims--) {
                size *= in.readInt();
            }
            byte[] data = in.readAllBytes();
            if (data.length != size) {
                throw new IOException(data.length + " bytes of data, but the header says " + size);
            }
            return new Idx(count, data);
        } catch (IOException e) {
            throw new IOException("cannot read " + path, e);
        }
    }

    public static void main(String[] args) throws IOException, GeneralSecurityException {
        var dir = Path.of(args[0]);
        var imageDigest = MessageDigest.getInstance("SHA-256");
        var labelDigest = MessageDigest.getInstance("SHA-256");
        for (var name : List.of("train", "t10k")) {
            var images = readIdx(dir.resolve(name + "-images-idx3-ubyte.gz"), 0x803);
            var labels = readIdx(dir.resolve(name + "-labels-idx1-ubyte.gz"), 0x801);
            if (images.count() != labels.count()) {
                throw new IOException(name + ": " + images.count() + " images, " + labels.count() + " labels");
            }
            imageDigest.update(images.data());
            labelDigest.update(labels.data());
        }
        var hex = HexFormat.of();
        System.out.println("images " + hex.formatHex(imageDigest.digest())
                + " labels " + hex.formatHex(labelDigest.digest()));
    }
}
