% Read the four files of `idxhub get NAME --to DIR --raw` and print the SHA-256 of the images and of the labels.
%
%     octave-cli --eval "read_idx('DIR')"
%
% With MATLAB, call read_idx('DIR') in this folder.
function read_idx(folder)
  images = uint8([]);
  labels = uint8([]);
  for name = {'train', 't10k'}
    [image_data, image_count] = read_file(fullfile(folder, [name{1} '-images-idx3-ubyte']), hex2dec('803'));
    [label_data, label_count] = read_file(fullfile(folder, [name{1} '-labels-idx1-ubyte']), hex2dec('801'));
    if image_count ~= label_count
      error('%s: %d images, %d labels', name{1}, image_count, label_count);
    end
    images = [images; image_data];
    labels = [labels; label_data];
  end
  fprintf('images %s labels %s\n', sha256(images), sha256(labels));
end

% The elements in the order of the file: for images, permute(reshape(data, columns, rows, count), [2 1 3]).
function [data, count] = read_file(path, magic)
  [file, reason] = fopen(path, 'r', 'ieee-be');
  if file < 0
    error('%s: %s', path, reason);
  end
  closing = onCleanup(@() fclose(file));
  if ~isequal(fread(file, 1, 'uint32'), magic)
    error('%s: wrong magic number', path);
  end
  shape = fread(file, bitand(magic, 255), 'uint32');
  data = fread(file, Inf, 'uint8=>uint8');
  if numel(data) ~= prod(shape)
    error('%s: not as long as its header says', path);
  end
  count = shape(1);
end

function hex = sha256(bytes)
  if exist('OCTAVE_VERSION', 'builtin')
    hex = hash('sha256', char(bytes'));
  else
    digest = java.security.MessageDigest.getInstance('SHA-256');
    hex = lower(reshape(dec2hex(typecast(digest.digest(bytes'), 'uint8'), 2)', 1, []));
  end
end
