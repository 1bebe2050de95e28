// Read the four files of `idxhub get NAME --to DIR` and print the SHA-256 of the images and of the labels.
//
//     mcs Program.cs
//     mono Program.exe DIR
//
// With .NET, put this file in the place of the Program.cs that `dotnet new console` makes, and start `dotnet run DIR`.

using System;
using System.IO;
using System.IO.Compression;
using System.Linq;
using System.Net;
using System.Security.Cryptography;

static class Program
{
    static (int Count, byte[] Data) ReadIdx(string path, int magic)
    {
        using (var reader = new BinaryReader(new GZipStream(File.OpenRead(path), CompressionMode.Decompress)))
        {
            try
            {
                if (ReadBigEndian(reader) != magic)
                    throw new InvalidDataException("wrong magic number");
                var shape = Enumerable.Range(0, magic & 0xff).Select(_ => ReadBigEndian(reader)).ToArray();
                var data = new MemoryStream();
                reader.BaseStream.CopyTo(data);
                if (data.Length != shape.Aggregate(1L, (size, n) => size * n))
                    throw new InvalidDataException($"{data.Length} bytes for shape {string.Join("x", shape)}");
                return (shape[0], data.ToArray());
            }
            catch (Exception error) when (error is EndOfStreamException || error is InvalidDataException)
            {
                throw new InvalidDataException($"{path}: {error.Message}", error);
            }
        }
    }

    static int ReadBigEndian(BinaryReader reader) => IPAddress.NetworkToHostOrder(reader.ReadInt32());

    static string Hex(byte[] bytes) => string.Concat(bytes.Select(value => value.ToString("x2")));

    static void Main(string[] args)
    {
        var imagesHash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var labelsHash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var name in new[] { "train", "t10k" })
        {
            var images = ReadIdx(Path.Combine(args[0], $"{name}-images-idx3-ubyte.gz"), 0x803);
            var labels = ReadIdx(Path.Combine(args[0], $"{name}-labels-idx1-ubyte.gz"), 0x801);
            if (images.Count != labels.Count)
                throw new InvalidDataException($"{name}: {images.Count} images, {labels.Count} labels");
            imagesHash.AppendData(images.Data);
            labelsHash.AppendData(labels.Data);
        }
        Console.WriteLine($"images {Hex(imagesHash.GetHashAndReset())} labels {Hex(labelsHash.GetHashAndReset())}");
    }
}
