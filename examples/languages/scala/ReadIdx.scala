// Read the four files of `idxhub get NAME --to DIR` and print the SHA-256 of the images and of the labels.
//
//     scalac ReadIdx.scala     # Scala 2.11 or later, JDK 9 or later
//     scala ReadIdx DIR

import java.io.{DataInputStream, IOException}
import java.nio.file.{Files, Path, Paths}
import java.security.MessageDigest
import java.util.zip.GZIPInputStream

object ReadIdx {
  final case class Idx(count: Int, data: Array[Byte])

  def readIdx(path: Path, magic: Int): Idx =
    try {
      val in = new DataInputStream(new GZIPInputStream(Files.newInputStream(path)))
      try {
        if (in.readInt() != magic) throw new IOException("wrong magic number")
        val shape = Seq.fill(magic & 0xff)(in.readInt())
        val data = in.readAllBytes()
        if (data.length != shape.map(_.toLong).product)
          throw new IOException(s"${data.length} bytes of data, but the shape is ${shape.mkString("x")}")
        Idx(shape.head, data)
      } finally in.close()
    } catch {
      case e: IOException => throw new IOException(s"cannot read $path", e)
    }

  def main(args: Array[String]): Unit = {
    val dir = Paths.get(args(0))
    val (images, labels) = Seq("train", "t10k").map { name =>
      val images = readIdx(dir.resolve(s"$name-images-idx3-ubyte.gz"), 0x803)
      val labels = readIdx(dir.resolve(s"$name-labels-idx1-ubyte.gz"), 0x801)
      if (images.count != labels.count)
        throw new IOException(s"$name: ${images.count} images, ${labels.count} labels")
      (images.data, labels.data)
    }.unzip
    println(s"images ${sha256(images)} labels ${sha256(labels)}")
  }

  def sha256(parts: Seq[Array[Byte]]): String = {
    val digest = MessageDigest.getInstance("SHA-256")
    parts.foreach(part => digest.update(part))
    digest.digest().map(byte => f"$byte%02x").mkString
  }
}
